"""Pages have names that every file system takes."""

import pytest

from rozaneh.observatory.dashboard.addresses import name_of
from rozaneh.observatory.dashboard.site import Holdings, Site
from tests.observatory.dashboard import autumn


@pytest.mark.parametrize("subject", ["con", "nul", "aux.example", "com1.a.b", "lpt0"])
def test_what_windows_takes_for_a_device_has_another_name(subject: str) -> None:
    assert name_of(subject) == f"_{subject}"


@pytest.mark.parametrize("subject", ["contact.example", "a.con", "com", "com10.example", "null.example", "wikipedia"])
def test_whatever_else_is_called_as_it_is(subject: str) -> None:
    assert name_of(subject) == subject


def test_such_a_page_stands_at_that_name_alone_and_is_found() -> None:
    rows = [autumn.row(autumn.FIRST, 1, "aux.example", source, ok=20) for source in "ab"]
    site = Site(Holdings(*autumn.tables(rows), made=autumn.MADE), interactive=True)
    there = "en/IR/service/_aux.example.html"
    assert there in site.paths()
    assert site.page(there) is not None
    assert site.page("en/IR/service/aux.example.html") is None
    assert site.page("en/IR/service/_wikipedia.html") is None
    for page in (site.page("en/IR/index.html"), site.page("en/search.html", "aux")):
        assert page is not None
        assert b'service/_aux.example.html"' in page.body
