from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rozaneh.ooni import testlists
from rozaneh.ooni.listupdate import BadUpdate, open_update, sign_update
from rozaneh.ooni.testlists import LARGEST, categories, read_list, refusal, risk

CSV = """url,category_code,category_description,date_added,source,notes
https://news.example/,NEWS,News Media,2014-04-15,citizenlab,
https://critic.example/,POLR,Political Criticism,2014-04-15,citizenlab,"a note, with a comma"
http://192.168.1.1/admin,NEWS,,,,
ftp://files.example/,FILE,,,,
"https://open.example/,NEWS

https://new.example/,ZZZZ,,,,
https://news.example/,NEWS,,,,
"""


def test_a_list_is_read_and_junk_is_named_by_its_line() -> None:
    found = read_list(CSV.encode())
    assert [(site.url, site.category, site.line) for site in found.sites] == [
        ("https://news.example/", "NEWS", 2),
        ("https://critic.example/", "POLR", 3),
        ("https://new.example/", "ZZZZ", 8),
    ]
    assert [(left.line, left.reason) for left in found.left_out] == [
        (4, "an address that is not on the public internet"),
        (5, "no http or https URL"),
        (6, "a quote is not closed"),
    ]


def test_risky_categories_are_off_unless_asked_for_and_so_are_unknown_ones() -> None:
    found = read_list(CSV.encode())
    assert [site.category for site in found.permitted()] == ["NEWS"]
    assert [site.category for site in found.permitted(["polr"])] == ["NEWS", "POLR"]
    assert [site.category for site in found.permitted(["POLR", "ZZZZ"])] == ["NEWS", "POLR", "ZZZZ"]
    for code in ("PORN", "XED", "LGBT", "GAYL", "POLR", "ANON", "MILX"):
        assert risk(code)
    assert not risk("NEWS")


def test_a_list_of_ones_own_has_no_header_and_no_categories() -> None:
    found = read_list("# mine\n\nhttps://a.example/\r\nhttp://b.example/x\n".encode("utf-8-sig"))
    assert [site.url for site in found.permitted()] == ["https://a.example/", "http://b.example/x"]
    assert not found.left_out


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "javascript:alert(1)", "file:///etc/hostname", "http://", "https:///x",
        "http://a b.example/",
        "http://127.0.0.1/", "http://[::1]/", "http://10.0.0.1:8080/", "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/", "http://224.0.0.1/", "http://[ff02::1]/", "http://0.0.0.0/", "http://100.64.0.1/",
        "http://[::ffff:10.0.0.1]/", "http://[2002:a00:1::]/", "http://[64:ff9b::a00:1]/", "http://[2001:0:7f00:1::]/",
        "http://localhost/", "http://router/", "http://printer.local/", "http://db.internal/", "http://127.1/",
        "http://0x7f.1/", "http://2130706433/", "http://a.example:99999/", "https://" + "a" * 3000 + ".example/",
        "http://user@192.168.0.1/",
    ],
)  # fmt: skip
def test_what_is_no_public_site_is_refused(url: str) -> None:
    assert refusal(url)
    assert not read_list(f"url\n{url}\n".encode()).sites


@pytest.mark.parametrize(
    "url", ["https://example.org", "HTTP://Example.org/", "http://8.8.8.8/", "http://xn--80ak6aa92e.com/"]
)
def test_public_sites_are_taken(url: str) -> None:
    assert not refusal(url)


def test_lists_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_list(b"x" * (LARGEST + 1)).left_out[0].line == 0
    monkeypatch.setattr(testlists, "MOST", 50)
    found = read_list(b"https://a.example/\n" * 55)
    assert found.left_out[-1].line == 51
    assert len(found.sites) == 1


def test_every_category_says_why_it_is_risky_or_is_not() -> None:
    assert all(category.risky == "" or category.risky.endswith(".") for category in categories().values())


# Updates --------------------------------------------------------------------------------------------------------------

KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
PINNED = KEY.public_key().public_bytes_raw()
LISTS = {"ir": CSV, "global": "url\nhttps://g.example/\n"}


def test_a_bundle_is_read_by_whoever_pins_its_key() -> None:
    update = open_update(sign_update(7, LISTS, KEY), [PINNED], newest=6)
    assert update.version == 7
    assert [site.url for site in update.lists["global"].sites] == ["https://g.example/"]
    assert len(update.lists["ir"].left_out) == 3


def test_two_keys_may_be_pinned_while_one_is_replaced() -> None:
    assert open_update(sign_update(1, LISTS, OTHER), [PINNED, OTHER.public_key().public_bytes_raw()], newest=0)


@pytest.mark.parametrize("newest", [7, 8, 1 << 60])
def test_an_older_bundle_is_refused(newest: int) -> None:
    with pytest.raises(BadUpdate, match="not newer"):
        open_update(sign_update(7, LISTS, KEY), [PINNED], newest=newest)


def test_a_bundle_of_another_key_or_without_any_is_refused() -> None:
    for pinned in ([OTHER.public_key().public_bytes_raw()], [], [b"short"]):
        with pytest.raises(BadUpdate, match="nobody signed"):
            open_update(sign_update(7, LISTS, KEY), pinned, newest=0)


def test_nothing_in_a_bundle_can_be_changed() -> None:
    """A bit that base64 throws away changes nothing; any other is refused."""
    good = sign_update(7, {"ir": "url\nhttps://a.example/\n"}, KEY)
    meant, refused = open_update(good, [PINNED], newest=0), 0
    for index in range(len(good)):
        changed = good[:index] + bytes([good[index] ^ 1]) + good[index + 1 :]
        try:
            assert open_update(changed, [PINNED], newest=0) == meant
        except BadUpdate:
            refused += 1
    assert refused >= len(good) - 2


def test_what_is_signed_is_still_bounded() -> None:
    with pytest.raises(BadUpdate, match="lists"):
        open_update(sign_update(7, {"../etc": "x"}, KEY), [PINNED], newest=0)
    with pytest.raises(BadUpdate, match="lists"):
        open_update(sign_update(7, {}, KEY), [PINNED], newest=0)


def test_citizen_labs_own_lists(outside: Path) -> None:
    for path in sorted((outside / "measurement" / "lists").glob("*.csv")):
        data = path.read_bytes()
        found = read_list(data)
        lines = [line for line in data.decode().splitlines()[1:] if line.strip()]
        assert len(found.sites) + len(found.left_out) >= 0.98 * len(lines), path.name
        assert len(found.left_out) <= 0.02 * len(lines), (path.name, found.left_out[:5])
        assert {site.category for site in found.sites} <= set(categories()), path.name
