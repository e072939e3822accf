import csv
import datetime as dt
import io
import json
import posixpath
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from rozaneh.core import LocalFault
from rozaneh.observatory.dashboard import exports
from rozaneh.observatory.dashboard.charts import dark_spans, local_blocks
from rozaneh.observatory.dashboard.figures import Part
from rozaneh.observatory.dashboard.publish import publish
from rozaneh.observatory.dashboard.site import Holdings, Site
from rozaneh.observatory.events.event import Event, Found
from rozaneh.observatory.spreadsheet import csv as as_csv
from tests.observatory.dashboard import autumn
from tools import screens


@pytest.fixture(scope="module")
def site() -> Site:
    return autumn.site()


@pytest.fixture(scope="module")
def pages(site: Site) -> dict[str, bytes]:
    found = {path: site.page(path) for path in site.paths()}
    assert all(found.values()), "every address that is listed has a page"
    return {path: page.body for path, page in found.items() if page}


class Links(HTMLParser):
    """What a page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.scripts = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script" or any(name.startswith("on") for name, _ in attrs)
        self.found += [value or "" for name, value in attrs if name in ("href", "src", "action", "data", "poster")]


def html(pages: dict[str, bytes]) -> dict[str, str]:
    return {path: body.decode() for path, body in pages.items() if path.endswith(".html")}


def test_every_link_leads_to_a_page_and_none_leaves(pages: dict[str, bytes]) -> None:
    for path, text in html(pages).items():
        for link in Links(text).found:
            assert not re.match(r"[a-z]+:|//", link), f"{path} refers to another place: {link}"
            there, _, part = link.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), there))
            assert target in pages, f"{path}: {link}"
            assert not part or f' id="{part}"' in pages[target].decode(), f"{path}: {link}"


def test_pages_are_light_run_nothing_and_say_which_way_they_are_written(pages: dict[str, bytes]) -> None:
    for path, text in html(pages).items():
        assert len(text.encode()) < 150_000
        assert Links(text).scripts == 0
        assert "default-src &#39;none&#39;" in text
        language = path[:2] if "/" in path else "fa"
        assert f'<html lang="{language}" dir="{"rtl" if language == "fa" else "ltr"}">' in text


def test_a_persian_page_is_persian(pages: dict[str, bytes]) -> None:
    foreign = r"<style>.*?</style>|<svg.*?</svg>|<code>.*?</code>|\u2068[^\u2069]*\u2069|<[^>]+>"
    text = re.sub(foreign, " ", pages["fa/IR/index.html"].decode(), flags=re.DOTALL)
    assert set(re.findall(r"[A-Za-z]{3,}", text)) <= {"English", "CSV", "TLS", "Atom"}


def test_the_curfew_is_a_dark_band_of_its_network_at_its_hours(site: Site) -> None:
    blocks = local_blocks(site.figures.hours(Part("IR", site.whole("IR"), (44244,))), autumn.TEHRAN)
    before, during = autumn.CURFEW[0].replace(day=15), autumn.CURFEW[0].replace(day=25)
    assert dark_spans(blocks, before, least=0.9) == []
    # The store counts by hours of UTC, which begin at half past in Iran; the one about midnight is not cut.
    assert dark_spans(blocks, during, least=0.9) == [(15 * 60 + 30, 23 * 60 + 30)]


def test_who_asks_for_a_service_or_the_next_curfew_is_answered_before_the_charts(pages: dict[str, bytes]) -> None:
    for page, said in (
        ("en/IR/service/instagram.html", "From Wednesday 21 September 2022 (Wednesday 30 Shahrivar 1401) to "),
        ("fa/IR/service/instagram.html", "مسدودسازی: "),
        ("en/IR/index.html", "Next expected from Tuesday 4 October 2022 (Tuesday 12 Mehr 1401), 16:00 to "),
        ("fa/IR/index.html", "انتظار می‌رود."),
    ):
        assert said in html(pages)[page].partition("<svg")[0], page


def test_foreign_text_is_shown_and_obeyed_by_nobody(pages: dict[str, bytes]) -> None:
    for path, text in html(pages).items():
        assert "<script" not in text, path
    rows = list(csv.reader(io.StringIO(pages["data/IR/services.csv"].decode())))
    assert [autumn.HOSTILE, "44244"] in [row[:2] for row in rows]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1"])
def test_a_spreadsheet_sees_text_where_it_could_see_a_formula(cell: str) -> None:
    (_, row) = list(csv.reader(io.StringIO(as_csv([{"a": cell}], ("a",)).decode(), newline="")))
    assert row == [f"'{cell}".replace("\r", "\\x0d")]


def test_an_export_steers_no_terminal() -> None:
    evil = "a\x1b[2J\x9b1m\u202eb\u2028"
    for data in (as_csv([{"a": evil}], ("a",)), exports.as_json({"a": evil})):
        assert not set(evil[1:2] + evil[5:6] + evil[8:9] + evil[-1]) & set(data.decode())
    assert json.loads(exports.as_json({"a": evil})) == {"a": evil}


def test_events_can_be_cited_and_their_data_match(site: Site, pages: dict[str, bytes]) -> None:
    listed = json.loads(pages["data/events.json"])
    assert {one["id"] for one in listed} == set(site.events)
    for one in listed:
        shown = pages[f"en/events/{one['id']}.html"].decode()
        assert f"event {one['id']}, made 2022-10-12.<" in shown, "no address of this machine"
        known = Site(Holdings(*autumn.tables([]), found=autumn.found(), made=autumn.MADE, where="https://a.example/"))
        page = known.page(f"en/events/{one['id']}.html")
        assert page is not None
        assert f"https://a.example/en/events/{one['id']}.html</code>" in page.body.decode()
        assert json.loads(pages[f"data/events/{one['id']}.json"])["found"]["event"]["start"] == one["start"]
    assert autumn.made_again(autumn.own_tables()).events.keys() == site.events.keys(), "an address stays"


def test_the_same_store_gives_the_same_bytes(pages: dict[str, bytes]) -> None:
    again = autumn.made_again(autumn.tables(autumn.hours()))
    for path in (path for path in pages if not path.endswith(".html") or path.startswith("fa/IR/index")):
        page = again.page(path)
        assert page is not None
        assert page.body == pages[path], path


def test_the_pictures_in_the_docs_are_of_these_pages() -> None:
    """Where this fails: ``python -m tools.screens STORE``, and look at each."""
    assert (screens.PICTURES / screens.NOTE.name).read_text(encoding="utf-8").strip() == screens.made_from()
    shown = re.findall(
        r"\(pages/([a-z-]+\.png)\)", (screens.PICTURES.parent / "observatory-pages.md").read_text("utf-8")
    )
    assert {path.name for path in screens.PICTURES.glob("*.png")} == {*shown}
    assert all((screens.PICTURES / name).stat().st_size <= screens.LARGEST for name in shown)


def test_an_event_that_was_there_before_the_data_says_so() -> None:
    curfew, block = autumn.found()
    before = msgspec.structs.replace(block, evidence=msgspec.structs.replace(block.evidence, before=True))
    site = Site(Holdings(*autumn.own_tables(), found=(curfew, before), made=autumn.MADE))
    name = next(name for name in site.events if "-block-" in name)
    for path, said in (
        (f"en/events/{name}.html", "before the measurements begin"),
        ("en/IR/index.html", "was so already"),
    ):
        page = site.page(path)
        assert page is not None
        assert said in page.body.decode()


def test_where_the_service_turns_people_away_the_charts_show_that() -> None:
    """Nothing fails on the path then: charts of failures would be empty beside a claim of 100%."""
    hours = [autumn.FIRST + dt.timedelta(hours=number) for number in range(100 * 24)]
    rows = [autumn.row(hour, 44244, "gemini", source, refused=2, mechanism="service_refusal")
            for hour in hours for source in "abc"]  # fmt: skip
    refusal = Found(event=Event(
        kind="refusal", country="IR", networks=("AS44244",), services=("gemini",), start=autumn.FIRST,
        mechanism="service_refusal", confidence=0.9, samples=2000, sources=3, rule="service-states",
    ))  # fmt: skip
    site = Site(Holdings(*autumn.tables(rows), found=(refusal,), made=autumn.MADE))
    (name,) = site.events
    for path in (f"en/events/{name}.html", "en/IR/service/gemini.html"):
        page = site.page(path)
        assert page is not None
        assert '<path class="s5"' in page.body.decode()
        assert "turned many away" in page.body.decode()
        assert ("its first 67 days" in page.body.decode()) == ("events" in path), "a hundred are known"


@pytest.mark.parametrize(
    "path",
    ["", "en/XX/index.html", "en/IR/AS1.html", "en/IR/1999-01.html", "en/IR/service/nothing.html", "en/events/x.html",
     "../etc/passwd", "en/IR/service/' OR 1=1 --.html", "data/IR/passwd.csv", "de/index.html"],
)  # fmt: skip
def test_an_address_that_does_not_exist_is_nothing(site: Site, path: str) -> None:
    assert site.page(path) is None


@pytest.mark.parametrize("asked", ["ایرانسل", "ايرانسل", "Irancell", "44244", "۴۴۲۴۴"])
def test_search_finds_a_network_however_it_is_typed(asked: str) -> None:
    page = autumn.site(interactive=True).page("fa/search.html", asked)
    assert page is not None
    assert "AS44244.html" in page.body.decode()


def test_search_shows_what_was_asked_as_text() -> None:
    page = autumn.site(interactive=True).page("en/search.html", '"><script>alert(1)</script>')
    assert page is not None
    assert b"<script" not in page.body


def test_published_is_what_is_served_and_nothing_else_is_touched(
    tmp_path: Path, site: Site, pages: dict[str, bytes]
) -> None:
    place = tmp_path / "site"
    steps: list[tuple[int, int]] = []
    files, size = publish(site, place, lambda done, of: steps.append((done, of)))
    written = {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*.*") if path.name[0] != "."}
    assert written == pages
    assert (files, size, steps[-1]) == (len(pages), sum(map(len, pages.values())), (files, files))
    publish(site, place, lambda _done, _of: None)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").touch()
    with pytest.raises(LocalFault, match="holds something else"):
        publish(site, tmp_path / "mine", lambda _done, _of: None)
    assert [path.name for path in tmp_path.iterdir()].count("letter") == 0
    assert (tmp_path / "mine" / "letter").exists()


def test_what_others_put_beside_published_pages_is_not_removed(
    tmp_path: Path, site: Site, pages: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(place: Path) -> str:
        with pytest.raises(LocalFault) as caught:
            publish(site, place, lambda _done, _of: None)
        return str(caught.value)

    place, letter, link = tmp_path / "real", tmp_path / "real" / "fa" / "letter", tmp_path / "link"
    publish(site, place, lambda _done, _of: None)
    letter.write_text("mine")
    assert "holds something else, fa/letter;" in said(place)
    letter.unlink()
    letter.symlink_to(tmp_path)
    assert "holds something else, fa/letter;" in said(place)
    letter.unlink()
    # What two killed runs have left, one of them between its two renames, and what only looks like that.
    place.rename(tmp_path / ".real-01234567-old")
    shutil.copytree(tmp_path / ".real-01234567-old", tmp_path / ".real-89abcdef")
    (tmp_path / ".real-notes-of-mine").mkdir()
    (tmp_path / ".real-mine0000").mkdir()
    link.symlink_to(place)
    publish(site, link, lambda _done, _of: None)
    assert link.is_symlink()
    assert (place / "index.html").read_bytes() == pages["index.html"]
    monkeypatch.chdir(place)
    publish(site, Path(), lambda _done, _of: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".real-mine0000", ".real-notes-of-mine", "link", "real"]
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "cannot be written" in said(tmp_path / "loop")


def test_a_store_without_measurements_says_so() -> None:
    page = Site(Holdings(*autumn.tables([]), made=autumn.MADE)).page("en/index.html")
    assert page is not None
    assert "There are no measurements here yet." in page.body.decode()
