"""Every engine gives the same numbers: DuckDB, ClickHouse (in this process, by its own client), and a Spark cluster."""

import datetime as dt
import os
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rozaneh.cli.main import dispatch
from rozaneh.core import LocalFault
from rozaneh.observatory import damage, engine, schema
from rozaneh.observatory.dashboard.figures import Figures, Part, Span
from rozaneh.observatory.events import renew
from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.judging import judge_all, judge_stale
from rozaneh.observatory.layers import layered
from rozaneh.observatory.store import Store, files
from rozaneh.observatory.verdicts import hourly, judged
from tests.observatory.evidence import evidence
from tests.observatory.made import reset, web, write
from tests.observatory.test_verdicts import observations

Library = Callable[[str], ModuleType]
MEASUREMENTS = 300


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Observations, and the verdicts and hours that DuckDB makes of them."""
    place = tmp_path_factory.mktemp("engines")
    rng = random.Random(5)
    paths = {name: place / f"{name}.parquet" for name in (schema.OBSERVATIONS, schema.VERDICTS, schema.HOURLY)}
    pq.write_table(observations([evidence(rng) for _ in range(MEASUREMENTS)]), paths[schema.OBSERVATIONS])
    connection = engine.duckdb(threads=1)
    engine.show(connection, schema.OBSERVATIONS, [paths[schema.OBSERVATIONS]])
    query = judged(engine.expression(schema.OBSERVATIONS))
    pq.write_table(engine.fetch(connection, query, schema.VERDICT), paths[schema.VERDICTS])
    engine.show(connection, schema.VERDICTS, [paths[schema.VERDICTS]])
    query = hourly(engine.expression(schema.VERDICTS))
    pq.write_table(engine.fetch(connection, query, schema.HOUR), paths[schema.HOURLY])
    return paths


def ordered(table: pa.Table, keys: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = table.to_pylist()
    return sorted(rows, key=lambda row: [str(row[key]) for key in keys])


def layers_of_duckdb(given: dict[str, Path]) -> list[dict[str, Any]]:
    """Verdicts of each layer, of which there are some."""
    here = engine.duckdb(threads=1)
    engine.show(here, schema.OBSERVATIONS, [given[schema.OBSERVATIONS]])
    rows = engine.fetch(here, layered(engine.expression(schema.OBSERVATIONS)), schema.LAYERED)
    assert rows.num_rows > MEASUREMENTS
    return ordered(rows, (*_VERDICT_KEYS, "layer"))


_VERDICT_KEYS = ("measurement", "target")
_HOUR_KEYS = ("hour", "subject", "mechanism", "reading", "source", "network_type")


def test_clickhouse_judges_and_counts_as_duckdb(given: dict[str, Path], library: Library) -> None:
    library("chdb")
    connection = engine.clickhouse("clickhouse://chdb")
    for name, path in given.items():
        view = f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM file('{path}', Parquet)"  # noqa: S608 - both are ours
        connection.con.command(view)
    verdicts = engine.fetch(connection, judged(engine.expression(schema.OBSERVATIONS)), schema.VERDICT)
    assert ordered(verdicts, _VERDICT_KEYS) == ordered(pq.read_table(given[schema.VERDICTS]), _VERDICT_KEYS)
    layers = engine.fetch(connection, layered(engine.expression(schema.OBSERVATIONS)), schema.LAYERED)
    assert ordered(layers, (*_VERDICT_KEYS, "layer")) == layers_of_duckdb(given)
    hours = engine.fetch(connection, hourly(engine.expression(schema.VERDICTS)), schema.HOUR)
    assert ordered(hours, _HOUR_KEYS) == ordered(pq.read_table(given[schema.HOURLY]), _HOUR_KEYS)
    assert sum(hours["n"].to_pylist()) == MEASUREMENTS


def pages_ask(connection: Any) -> list[Any]:
    """An answer to every question that pages ask."""
    figures = Figures(*(connection.table(name) for name in (schema.CELLS, schema.COUNTRYWIDE, schema.DAILY)))
    part = Part("IR", Span(dt.datetime(2022, 9, 21, tzinfo=dt.UTC), dt.datetime(2022, 9, 24, tzinfo=dt.UTC)))
    some = Part("IR", part.span, (1, 2), ("site.example",))
    return [
        figures.countries(), figures.networks("IR"), figures.subjects("IR", part.span),
        figures.matrix("IR", part.span.start),
        figures.days(some), figures.days(part),
        figures.hours(part), figures.hours(some),
    ]  # fmt: skip


def test_a_store_is_judged_and_asked_in_clickhouse(
    tmp_path: Path, library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    library("chdb")
    there = f"clickhouse://chdb{tmp_path}/clickhouse"
    times = [
        {
            "measurement_start_time": f"2022-09-{21 + i % 3} 12:00:00",
            "probe_asn": f"AS{i % 5 + 1}",
            "software_version": f"3.{i // 15 % 2}.0",
        }
        for i in range(60)
    ]
    path = write(tmp_path / "a.jsonl.gz", [*(web(i, **time) for i, time in enumerate(times)), reset(100)])
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for name, where in (("here", "duckdb"), ("there", there)):
        with Store(tmp_path / name) as store:
            ingest([path], store, now)
            assert judge_stale(store, engine=where) == judge_all(store, engine=where) == 61
    for table, keys in ((schema.VERDICTS, _VERDICT_KEYS), (schema.HOURLY, _HOUR_KEYS)):
        one, two = (
            [
                row
                for file in files(tmp_path / name, table)
                for row in ordered(pq.read_table(file, partitioning=None), keys)
            ]
            for name in ("here", "there")
        )
        assert one == two != []
    told = [pages_ask(engine.engine(where, tmp_path / name)) for name, where in (("here", "duckdb"), ("there", there))]
    assert told[0] == told[1]
    assert all(told[0])
    assert told[0][0][0].tally.n == 60
    assert renew(tmp_path / "there", asked=there).found == renew(tmp_path / "here").found
    # The command line takes the same address.
    said = []
    for name, where in (("here", "duckdb"), ("there", there)):
        with pytest.raises(SystemExit) as left:
            dispatch(["observe", "events", "--store", str(tmp_path / name), "--engine", where])
        said.append((left.value.code, capsys.readouterr()))
    assert said[0] == said[1]
    assert said[0][0] == 3, "three days are too little history, on either"


# Spark's driver leaves its sockets to the collector.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(500)
def test_a_spark_cluster_judges_and_counts_as_duckdb(
    given: dict[str, Path], library: Library, peer: Callable[[str], str]
) -> None:
    peer("java")
    home = Path(str(library("pyspark").__file__)).parent
    with _cluster(home) as master, _session(master) as session:
        connection = ibis.pyspark.connect(session)
        connection.read_parquet(str(given[schema.VERDICTS]), table_name=schema.VERDICTS)
        hours = engine.fetch(connection, hourly(engine.expression(schema.VERDICTS)), schema.HOUR)
        connection.read_parquet(str(given[schema.OBSERVATIONS]), table_name=schema.OBSERVATIONS)
        verdicts = engine.fetch(connection, judged(engine.expression(schema.OBSERVATIONS)), schema.VERDICT)
        layers = engine.fetch(connection, layered(engine.expression(schema.OBSERVATIONS)), schema.LAYERED)
        workers = session.sparkContext._jsc.sc().statusTracker().getExecutorInfos()
    assert ordered(hours, _HOUR_KEYS) == ordered(pq.read_table(given[schema.HOURLY]), _HOUR_KEYS)
    assert ordered(verdicts, _VERDICT_KEYS) == ordered(pq.read_table(given[schema.VERDICTS]), _VERDICT_KEYS)
    assert ordered(layers, (*_VERDICT_KEYS, "layer")) == layers_of_duckdb(given)
    assert len(workers) > 1  # the driver, and at least one executor in a worker's process


@contextmanager
def _cluster(home: Path) -> Iterator[str]:
    """One master and two workers on loopback; the master's address."""
    # Whatever options the machine gives to every Java would be printed into what is read here.
    environment = {name: value for name, value in os.environ.items() if name != "JAVA_TOOL_OPTIONS"}
    environment |= {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
    program = [str(home / "bin" / "spark-class")]
    common = ["--host", "127.0.0.1", "--webui-port", "0"]
    master = subprocess.Popen(
        [*program, "org.apache.spark.deploy.master.Master", "--port", "0", *common],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    workers: list[subprocess.Popen[bytes]] = []
    try:
        assert master.stdout is not None
        told = (re.search(r"Starting Spark master at (spark://\S+)", line) for line in master.stdout)
        address = next(found[1] for found in told if found)
        for _ in range(2):
            worker = [*program, "org.apache.spark.deploy.worker.Worker", "--cores", "1", "--memory", "1g", *common]
            workers.append(
                subprocess.Popen(
                    [*worker, address], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
        yield address
    finally:
        for worker_process in workers:
            worker_process.kill()
            worker_process.wait()
        master.kill()
        master.wait()
        if master.stdout is not None:
            master.stdout.close()


@contextmanager
def _session(master: str) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master)
    for name, value in {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.executor.memory": "600m",
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    try:
        yield session
    finally:
        session.stop()


@pytest.mark.parametrize("text", ["postgres://x", "sqlite", "clickhouse", "clikhouse://u:geheim@host/x"])
def test_an_engine_that_does_not_exist_is_told(text: str, tmp_path: Path) -> None:
    with pytest.raises(LocalFault, match="no engine is called") as told:
        engine.engine(text, tmp_path)
    assert "geheim" not in str(told.value)


def test_a_clickhouse_that_does_not_answer_is_told(tmp_path: Path, library: Library) -> None:
    library("clickhouse_connect")
    with pytest.raises(LocalFault, match=r"no ClickHouse at 127\.0\.0\.1"):
        engine.engine("clickhouse://127.0.0.1:9/x", tmp_path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("clickhouse://[::1", "host or port is none"),
        ("clickhouse://host:99999/x", "host or port is none"),
        ("clickhouse://host:port/x", "host or port is none"),
        ("clickhouse://u:geheim/x@host/x", "in a password as %2F"),
        ("clickhouse://u:geheim#x@host/x", "in a password as %2F"),
        ("clickhouse:///x", "it has no host"),
        ("clickhouse://u:p@/x", "it has no host"),
    ],
)
def test_an_address_that_is_none_is_told_before_anything_is_opened(text: str, line: str) -> None:
    with pytest.raises(LocalFault, match="--engine names no ClickHouse") as told:
        engine.check_engine(text)
    assert line in str(told.value)
    assert "clickhouse://USER:PASSWORD@HOST:PORT/DATABASE" in str(told.value)
    assert "geheim" not in str(told.value)


def test_signs_of_an_address_may_stand_in_a_password(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    client = library("clickhouse_connect")
    given: dict[str, Any] = {}

    def connect(**settings: Any) -> None:
        given.update(settings)
        raise OSError("enough")

    monkeypatch.setattr(client, "get_client", connect)
    with pytest.raises(LocalFault, match="no ClickHouse at host: enough"):
        engine.clickhouse("clickhouse://some%40one:p%40ss%2Fw%3Ard@host:9000/a%20b")
    assert given == {
        "host": "host", "port": 9000, "username": "some@one", "password": "p@ss/w:rd", "database": "a b",
    }  # fmt: skip


def test_what_a_clickhouse_refuses_while_it_is_asked_is_told(library: Library) -> None:
    library("chdb")
    connection = engine.clickhouse("clickhouse://chdb")
    with pytest.raises(LocalFault, match="ClickHouse refuses: ") as told, damage.told(None):
        connection.con.query("SELECT * FROM nothing_of_this_name")
    assert "\n" not in str(told.value)
