"""What files hold, and how it is written in them: documents over many lines, lists, and handshakes over QUIC."""

import json
from pathlib import Path

import pytest

from rozaneh.observatory import schema
from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.judging import judge_stale
from rozaneh.observatory.store import Store
from tests.observatory.made import web, write
from tests.observatory.stored import NOW, into, rows


def test_a_folder_of_files_however_they_are_written(tmp_path: Path) -> None:
    """For eyes, as a list, as an interface answers; what it says about measurements is none."""
    about = {key: web(9)[key] for key in ("input", "measurement_start_time", "probe_cc", "test_name")} | {
        "scores": "{}"
    }
    given = {
        "eyes.json": json.dumps(web(0), indent=4),
        "two.json": f"{json.dumps(web(1), indent=2)}\n{json.dumps(web(2), indent=2)}\n",
        "list.json": json.dumps([web(3), {"broken": 1}, web(4)], indent=1),
        "answer.json": json.dumps({"metadata": {"count": 2}, "results": [web(5), about]}),
        "cut.json": json.dumps(web(6), indent=2)[:-3],
        "none.json": json.dumps({**web(7), "test_keys": None}),
    }
    (tmp_path / "in").mkdir()
    for name, text in given.items():
        (tmp_path / "in" / name).write_text(text, encoding="utf-8")
    write(tmp_path / "in" / "packed.json.gz", [json.dumps(web(8), indent=1).encode()])
    summary = into(tmp_path / "store", tmp_path / "in")
    found = {row["measurement_uid"]: (row["file"], row["line"]) for row in rows(tmp_path / "store", "observations")}
    second = json.dumps([web(3), {"broken": 1}], indent=1).count("\n") + 1
    expected = {0: ("eyes.json", 1), 1: ("two.json", 1), 3: ("list.json", 2), 4: ("list.json", second),
                5: ("answer.json", 1), 7: ("none.json", 1), 8: ("packed.json.gz", 1)}  # fmt: skip
    assert {number: found[web(number)["measurement_uid"]] for number in expected} == expected
    assert summary.kept == 8
    aside = sorted((row["file"], row["reason"], row["count"]) for row in rows(tmp_path / "store", schema.QUARANTINE))
    assert aside == [
        ("answer.json", "not a measurement", 1), ("cut.json", "unreadable", 1), ("list.json", "no time", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("works", [True, False])
def test_quic_is_a_target_of_its_own(tmp_path: Path, *, works: bool) -> None:
    """Silence at both addresses is a block where the control says that it works, and the page over TCP still works."""
    one = web(1)
    shakes = [{**x, "network": "udp", "failure": "generic_timeout_error", "tls_version": "TLSv1.3"}
              for x in one["test_keys"]["tls_handshakes"]]  # fmt: skip
    places = {x["address"]: {"status": works, "failure": None if works else "generic_timeout_error"} for x in shakes}
    one["test_keys"] |= {"quic_handshakes": [{**x, "transaction_id": 60001 + i} for i, x in enumerate(shakes)]}
    one["test_keys"]["control"]["quic_handshake"] = places
    with Store(tmp_path / "store") as store:
        ingest([write(tmp_path / "a.jsonl", [one])], store, NOW)
        judge_stale(store)
    dials = [row for row in rows(tmp_path / "store", schema.OBSERVATIONS) if row["kind"] == "quic"]
    assert [(row["ended"], row["failure"], row["port"], row["control_quic"]) for row in dials] == [
        ("quic", "generic_timeout_error", 443, works)
    ] * 2
    verdicts = {row["kind"]: (row["verdict"], row["rule"]) for row in rows(tmp_path / "store", schema.VERDICTS)}
    assert verdicts == {"https": ("ok", "works"), "quic": ("blocked", "quic-silent") if works else verdicts["quic"]}
    assert works or verdicts["quic"][0] != "blocked"
    hours = {row["subject"] for row in rows(tmp_path / "store", schema.HOURLY)}
    assert hours == {"site.example", "quic.site.example"}
