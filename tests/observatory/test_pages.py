"""Signatures in bodies: all of them in one pass, wherever they stand; what stands in the head decides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.diagnosis import signatures
from rozaneh.observatory import pages
from rozaneh.observatory.pages import answer_of, kinds_of
from rozaneh.ooni.records import HttpResponse, HttpTransaction

BLOCK = 'iframe src="http://10.10.34.34'


def columns(body: object, **changes: object) -> dict[str, object]:
    response = HttpResponse(code=200, body=body)  # type: ignore[arg-type]  # as it is decoded at once
    told = answer_of(HttpTransaction(response=response, **changes))  # type: ignore[arg-type]  # the same
    return dict(zip(pages.COLUMNS, told, strict=True))


def test_a_signature_far_down_is_named_and_decides_nothing() -> None:
    for before in (0, 8000, 9000, 600_000, pages._STEP - 10, 3 * pages._STEP):
        found = columns("x" * before + BLOCK.upper() + "y" * 100)
        assert found["signatures"] == ["ir-iframe-v4"], before
        assert found["page_block"] is (before < 8192 - len(BLOCK))


def test_what_is_far_down_does_not_hide_what_a_title_or_a_redirect_says() -> None:
    far = b"x" * 40_000 + BLOCK.encode()
    assert kinds_of(far, "", "") == (False, False, False, ["ir-iframe-v4"])
    refused, known = "Not available in your country", ["country-unavailable", "ir-iframe-v4"]
    assert kinds_of(far, refused, "") == kinds_of(far, "", refused) == (False, True, False, known)


def test_a_body_of_nothing_but_signatures_is_searched_in_steps() -> None:
    texts = sorted(signatures().pages)
    body = "".join(texts) * ((2 * pages._STEP) // sum(map(len, texts)) + 1)
    found = columns(body)["signatures"]
    assert isinstance(found, list)
    assert len(found) == len({*found}) == len({page.id for page in signatures().pages.values()})
    assert len(pages._automaton().room) < 2 * pages._STEP


def test_every_signature_is_found_in_either_case() -> None:
    for text, page in signatures().pages.items():
        for shown in (text, text.upper(), text.title()):
            assert page.id in kinds_of(f"<p>{shown}</p>".encode(), "", "")[3]


def test_letters_that_differ_in_more_than_case_do_not_count() -> None:
    (text,) = [text for text, page in signatures().pages.items() if page.id == "ir-policy"]
    assert kinds_of(text.replace("=", "\x1d").encode(), "", "") == (False, False, False, [])


@given(st.lists(st.one_of(st.sampled_from(sorted(signatures().pages)), st.text(max_size=12)), max_size=8))
def test_a_page_is_what_it_is_in_memory(parts: list[str]) -> None:
    text = "".join(parts)
    *flags, names = kinds_of(text.encode(errors="replace"), "", "")
    known = signatures().matches(text.encode(errors="replace").decode())
    if text.isascii():
        assert flags == [any(page.kind == kind for page in known) for kind in ("block", "refusal", "challenge")]
        assert {page.id for page in known} <= {*names}


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ("<html><TITLE lang=fa>\n  A\tsite </TITLE>", "A site"),
        ("<title>دسترسی</title>", "دسترسی"),
        (b"<title>\xff</title>", "\ufffd"),
        ("x" * 9000 + "<title>late</title>", None),
        ("<title>" + "x" * 9000, None),
    ],
)
def test_titles(body: str | bytes, title: str | None) -> None:
    assert columns(body.decode(errors="replace") if isinstance(body, bytes) else body)["title"] == title
