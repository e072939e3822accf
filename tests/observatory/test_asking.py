"""The queries of docs/howto/ask-a-store.md, on a store whose numbers are known."""

import csv
import datetime as dt
import re
from pathlib import Path

import duckdb
import pytest

from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.judging import judge_stale
from rozaneh.observatory.store import Store
from tests.observatory.made import reset, web, write

_PAGE = Path(__file__).parents[2] / "docs" / "howto" / "ask-a-store.md"


def test_every_query_of_the_page_tells_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two networks, two sources on each; half of what one of them measures is reset. A third has one measurement."""
    made = []
    for i in range(41):
        asn, hour = 3 if i == 40 else i % 2 + 1, i // 20
        when = {"measurement_uid": f"u{i}", "measurement_start_time": f"2022-09-21 {hour:02}:00:00"}
        who = {"probe_asn": f"AS{asn}", "software_version": f"3.{hour}.0"}
        made.append({**(reset if i % 4 == 1 else web)(i), **when, **who})
    with Store(tmp_path / "store") as store:
        ingest([write(tmp_path / "a.jsonl.gz", made)], store, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        judge_stale(store)
    monkeypatch.chdir(tmp_path)
    text = _PAGE.read_text(encoding="utf-8")
    asked = {
        heading: query
        for part in text.split("\n## ")[1:]
        for heading, query in [(part.partition("\n")[0], *re.findall(r"```sql\n(.*?)```", part, re.DOTALL))]
    }
    (view,) = re.findall(r"```sql\n(.*?)```", text.partition("\n## ")[0], re.DOTALL)
    connection = duckdb.connect()
    connection.execute(view)
    told = {heading: connection.execute(query).fetchall() for heading, query in asked.items()}
    assert told["Share by network, with its sample"] == [(1, 20, 2, 0.0, 0.0), (2, 20, 2, 0.5, 0.0)]
    ((_, samples, sources, networks),) = told["By mechanism"]
    assert (samples, sources, networks) == (10, 2, 1)
    ((day, *rest, least, most),) = told["One service, day by day"]
    assert (day, rest) == (dt.date(2022, 9, 21), [41, 5, 0.244])
    assert (round(least, 2), round(most, 2)) == (0.14, 0.39), "as tables of Wilson's interval have it"
    assert told["By hour of the place's own clock"] == [(4, 20, 2, 0.25), (5, 20, 2, 0.25)]
    behind = told["The verdicts behind a number"]
    assert len(behind) == 10
    assert {(row[2], row[4]) for row in behind} == {(2, "blocked")}
    assert sum(row[-1] for row in told["How the two sets of rules agree"]) == 41
    with (tmp_path / "services.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["n"]) for row in rows) == 40, "the one measurement of the third network is left out"
    assert sum(int(row["blocked"]) for row in rows) == 10
