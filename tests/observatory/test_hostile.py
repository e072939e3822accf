"""Rows 9 and 10 of the threats: nothing that a stranger writes becomes a query, a path or code."""

import ast
import base64
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rozaneh.observatory import engine, schema
from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.judging import judge_stale
from rozaneh.observatory.store import Store, files
from tests.codecs.test_certificate import OF_NO_VERSION
from tests.observatory.made import web, write
from tests.observatory.stored import NOW, rows

INJECTIONS = (
    "'; DROP TABLE hourly; --",
    '" OR ""="',
    "') UNION SELECT * FROM read_csv('/etc/passwd') --",
    "{{7*7}} ${jndi:ldap://x} %s %(a)s {0}",
    "../../../../etc/passwd",
    "country=DE/day=2022-09-21/x.parquet",
    "\\'; ATTACH 'x.db'; --",
    "$$; COPY (SELECT 1) TO 'x.csv'; $$",
    "\x00\x1b[2J\u202e\ufeff",
    "=cmd|' /C calc'!A0",
)


def strings(value: Any, evil: str) -> Any:
    """The same value with every text in it, but for times and kinds, replaced."""
    if isinstance(value, dict):
        return {key: x if key in _KEPT else strings(x, evil) for key, x in value.items()}
    if isinstance(value, list):
        return [strings(x, evil) for x in value]
    return evil if isinstance(value, str) else value


_KEPT = {"measurement_start_time", "measurement_uid", "test_name", "engine", "failure"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of measurements that have an injection in every field; tests read it."""
    tmp_path = tmp_path_factory.mktemp("hostile")
    lines = [strings(web(number), evil) for number, evil in enumerate(INJECTIONS)]
    lines += [{**web(100 + number), "measurement_uid": evil} for number, evil in enumerate(INJECTIONS)]
    with Store(tmp_path / "store") as store:
        summary = ingest([write(tmp_path / "a.jsonl.gz", lines)], store, NOW)
        assert summary.rejected == {}
        judge_stale(store)
    return tmp_path / "store"


@pytest.mark.parametrize("time", ["2022-09-21T00:00+01", "20220921T0000+01:00", "0001-01-01 00:00:00", "9999-12-31"])
def test_a_time_that_is_none_costs_its_own_line(tmp_path: Path, time: str) -> None:
    lines = [{**web(1), "measurement_start_time": time}, web(2)]
    with Store(tmp_path / "store") as store:
        summary = ingest([write(tmp_path / "a.jsonl.gz", lines)], store, NOW)
    assert (summary.kept, sum(summary.rejected.values())) == (1, 1)


@pytest.mark.parametrize("number", [True, -1, 1 << 31, (1 << 64) - 1])
def test_a_number_that_cannot_be_costs_no_other_line(tmp_path: Path, number: int) -> None:
    """Whoever writes the key of our own probe can write any number into its evidence."""
    target = {"host": "site.example", "port": int(number)}
    page = {"op": "first_byte", "t0": 0.0, "took": 0.1, "tags": {"status": number}}
    attempt = {"target": target, "spec": "tcp", "started": 0.0, "took": 1.0, "failure": None, "observations": [page]}
    control = {"vantage": "one", "addresses": [], "http": True, "status": int(number)}
    evidence = {"tried": [{"role": "system", "attempt": attempt}], "control": [control]}
    keys = {**web(1)["test_keys"], "x_rozaneh": {"evidence": evidence}}
    with Store(tmp_path / "store") as store:
        summary = ingest([write(tmp_path / "a.jsonl.gz", [{**web(1), "test_keys": keys}, web(2)])], store, NOW)
        judge_stale(store)
    assert (summary.kept, summary.rejected) == (2, {})


def test_a_certificate_that_libraries_refuse_costs_no_other_line(tmp_path: Path) -> None:
    shown = [{"data": base64.b64encode(OF_NO_VERSION).decode(), "format": "base64"}]
    refused = {"address": "151.101.1.5:443", "failure": "ssl_unknown_authority", "server_name": "site.example"}
    keys = {**web(1)["test_keys"], "tls_handshakes": [{**refused, "peer_certificates": shown, "transaction_id": 50001}]}
    with Store(tmp_path / "store") as store:
        summary = ingest([write(tmp_path / "a.jsonl.gz", [{**web(1), "test_keys": keys}, web(2)])], store, NOW)
        judge_stale(store)
    assert (summary.kept, summary.rejected) == (2, {})


@pytest.mark.parametrize("change", [{}, {"response": None}, {"response": {}}])
def test_a_request_without_an_answer_is_a_dial_without_one(tmp_path: Path, change: dict[str, object]) -> None:
    asked = {"request": {"url": "https://site.example/"}, "failure": "generic_timeout_error", "transaction_id": 50001}
    keys = {**web(1)["test_keys"], "requests": [{**asked, **change}]}
    with Store(tmp_path / "store") as store:
        summary = ingest([write(tmp_path / "a.jsonl.gz", [{**web(1), "test_keys": keys}, web(2)])], store, NOW)
    assert (summary.kept, summary.rejected) == (2, {})
    rows = pa.concat_tables(pq.read_table(path, partitioning=None) for path in files(store.place, schema.OBSERVATIONS))
    (row,) = [row for row in rows.to_pylist() if row["http_failure"] == "generic_timeout_error"]
    assert (row["status"], row["body_length"] or 0, row["title"]) == (0, 0, None)


def test_fields_are_data_and_stay_in_their_place(place: Path) -> None:
    tables = {name: rows(place, name) for name in (schema.OBSERVATIONS, schema.VERDICTS, schema.HOURLY)}
    assert sum(row["n"] for row in tables[schema.HOURLY]) == len(tables[schema.VERDICTS]) == 2 * len(INJECTIONS)
    assert {row["measurement_uid"] for row in tables[schema.OBSERVATIONS]} >= set(INJECTIONS)
    assert {path.name for path in place.iterdir()} <= {*engine.TABLES, schema.LEDGER, schema.QUARANTINE}
    assert {path.parent.parent.name for name in tables for path in files(place, name)} == {"country=IR", "country=ZZ"}


def test_a_value_in_a_query_is_a_value(place: Path) -> None:
    connection = engine.duckdb(place, serving=True)
    verdicts = connection.table(schema.VERDICTS)
    for evil in INJECTIONS:
        assert connection.to_pyarrow(verdicts.filter(verdicts.measurement_uid == evil).count()).as_py() == 1
    assert connection.to_pyarrow(verdicts.count()).as_py() == 2 * len(INJECTIONS)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/proc/self/environ')",
        "SELECT * FROM read_parquet('{outside}')",
        "SELECT * FROM '{outside}'",
        "COPY (SELECT 1) TO '{outside}.csv'",
        "ATTACH '{outside}.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "RESET allowed_directories",
        "SET memory_limit = '1TB'",
    ],
)
def test_an_engine_that_serves_reads_nothing_but_the_store(place: Path, query: str) -> None:
    outside = place.parent / "outside.parquet"
    pq.write_table(pa.table({"a": [1]}), outside)
    connection = engine.duckdb(place, serving=True)
    with pytest.raises(Exception, match=r"(?i)permission|disabled|cannot|locked|not allowed"):
        connection.con.execute(query.format(outside=outside)).fetchall()
    assert sorted(path.name for path in place.parent.iterdir()) == ["a.jsonl.gz", "outside.parquet", "store"]
    assert connection.to_pyarrow(connection.table(schema.HOURLY).n.sum()).as_py() == 2 * len(INJECTIONS)


def test_no_format_is_read_that_can_carry_code() -> None:
    top = Path(__file__).parent.parent.parent / "src" / "rozaneh"
    forbidden = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml", "ruamel"}
    calls = {"eval", "exec", "compile", "__import__"}
    for room in ("observatory", "ooni", "diagnosis"):
        for path in (top / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names: list[str] = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                assert not {name.partition(".")[0] for name in names} & forbidden, f"{path}: {names}"
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    assert node.func.id not in calls, f"{path}:{node.lineno}"
