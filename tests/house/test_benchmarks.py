"""The runner of the benchmarks says truly whether a figure meets its target."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import observatory_scale
from tests.observatory.dashboard import autumn


def _row(value: object, target: str = "") -> bench.Row:
    return {"name": "x", "value": value, "unit": "s", "target": target, "command": "make bench"}


@pytest.mark.parametrize(
    ("value", "target", "met"),
    [
        (0.3, "<= 0.3", True),
        (0.31, "<= 0.3", False),
        (150, ">= 150", True),
        (1.31, "< 1.3", False),
        (2, "> 1", True),
        (0, "== 0", True),
        (5, "", None),
        ("ss-server is absent", "<= 1", None),
    ],
)
def test_whether_a_figure_meets_its_target(value: object, target: str, met: bool | None) -> None:
    assert bench.met(_row(value, target)) is met


def test_the_page_gets_the_table_and_keeps_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{bench._BEGIN}\nold\n{bench._END}\nafter\n")
    monkeypatch.setattr(bench, "_PAGE", page)
    bench.write([_row(0.123456, "<= 0.3"), _row("no namespaces here")], datetime(2026, 11, 24, tzinfo=UTC))
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "| x | 0.123 s | <= 0.3 | yes |  | 2026-11-24 | `make bench` |" in text
    assert "| x | no namespaces here |" in text
    bench.write([{**_row(7), "command": "other"}], datetime(2026, 11, 25, tzinfo=UTC))
    bench.write([_row(0.5, "<= 0.3")], datetime(2026, 11, 26, tzinfo=UTC))
    rows = [line for line in page.read_text().splitlines() if line.startswith("| x")]
    assert rows == [
        "| x | 7 s |  |  |  | 2026-11-25 | `other` |",
        "| x | 0.5 s | <= 0.3 | NO |  | 2026-11-26 | `make bench` |",
    ]


def test_the_queries_of_a_page_are_measured(tmp_path: Path) -> None:
    hours = [autumn.row(autumn.FIRST, 44244, "wikipedia", source, ok=3) for source in "ab"]
    place = autumn.on_disk(tmp_path, hours)
    queries, whole = observatory_scale._page(place, "services", "data/IR/services.json")
    assert "its 0 queries" not in str(queries["name"])
    assert 0 < float(str(queries["value"])) < float(str(whole["value"]))


def test_a_page_without_its_markers_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "performance.md"
    page.write_text("somebody edited this")
    monkeypatch.setattr(bench, "_PAGE", page)
    with pytest.raises(SystemExit, match="lost its markers"):
        bench.write([_row(1)], datetime(2026, 11, 24, tzinfo=UTC))
    assert page.read_text() == "somebody edited this"
