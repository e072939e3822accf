import json
from pathlib import Path

import pytest

from rozaneh.ooni import BadMeasurement, decode
from rozaneh.ooni.scores import VOID, Score, score

URL = {"requests": [{"request": {"url": "https://web.telegram.org/"}}]}
FINE, BLOCKED = Score(), Score(blocking=1.0)


def measured(test: str, keys: object, version: str = "0.9.9", when: str = "2024-01-01", engine: str = "") -> bytes:
    return json.dumps(
        {
            "test_name": test,
            "test_version": version,
            "measurement_start_time": f"{when} 12:00:00",
            "annotations": {"engine_version": engine} if engine else {},
            "test_keys": keys,
        }
    ).encode()


@pytest.mark.parametrize(
    ("test", "keys", "expected"),
    [
        ("signal", {"signal_backend_status": "ok"}, FINE),
        ("signal", {"signal_backend_status": "blocked"}, BLOCKED),
        ("signal", {}, VOID),
        ("whatsapp", {"registration_server_status": "ok", "whatsapp_web_status": "ok"}, FINE),
        ("whatsapp", {"registration_server_status": "blocked", "whatsapp_web_status": "ok"}, BLOCKED),
        (
            "whatsapp",
            {
                "registration_server_status": "ok",
                "whatsapp_web_status": "blocked",
                "whatsapp_web_failure": "http_unexpected_status_code",
            },
            FINE,
        ),
        ("telegram", {"telegram_tcp_blocking": True, "telegram_web_status": "ok", **URL}, BLOCKED),
        ("telegram", {"telegram_tcp_blocking": False, "telegram_web_status": "ok", **URL}, FINE),
        ("telegram", {"telegram_tcp_blocking": True}, VOID),
        ("facebook_messenger", {"facebook_dns_blocking": False, "facebook_tcp_blocking": True}, BLOCKED),
        ("tor", {"targets": {"a": {"failure": None}, "b": {"failure": "eof_error"}}}, Score(blocking=0.5)),
        ("tor", {"targets": []}, VOID),
        ("vanilla_tor", {"success": False, "tor_progress": 5}, Score(blocking=0.98)),
        ("vanilla_tor", {"success": True, "tor_progress": 100}, FINE),
        ("vanilla_tor", None, VOID),
        ("ndt", {}, None),
    ],
)
def test_scores(test: str, keys: object, expected: Score | None) -> None:
    assert score(decode(measured(test, keys))) == expected


@pytest.mark.parametrize(
    ("version", "when", "engine", "void"),
    [
        ("0.2.4", "2020-01-01", "", True),
        ("0.2.5", "2024-01-01", "", False),
        ("0.2.3", "2023-11-06", "", False),
        ("0.2.3", "2023-11-07", "", True),
        ("0.2.2", "2022-10-19", "", False),
        ("0.2.1", "2022-10-19", "", True),
        ("0.2.1", "2022-10-18", "", False),
        ("0.2.5", "2023-05-02", "3.17.1", True),
        ("0.2.5", "2023-05-02", "3.17.2", False),
        ("0.2.5", "2023-05-01", "3.17.1", False),
        ("odd", "2020-01-01", "odd", False),
    ],
)
def test_a_whole_experiment_may_be_void_for_a_time(version: str, when: str, engine: str, *, void: bool) -> None:
    found = score(decode(measured("signal", {"signal_backend_status": "blocked"}, version, when, engine)))
    assert found == (VOID if void else BLOCKED)


def test_keys_of_another_kind_are_named() -> None:
    with pytest.raises(BadMeasurement, match=r"tor_progress"):
        score(decode(measured("vanilla_tor", {"tor_progress": "far"})))


def test_oonis_own_expectations(outside: Path) -> None:
    corpus = outside / "measurement" / "ooni_fastpath"
    checked = 0
    for case in json.loads((corpus / "EXPECTED.json").read_text()):
        if case["check"] != "scores" or not case.get("file"):
            continue
        found = score(decode((corpus / case["file"]).read_bytes()))
        if found is not None:
            checked += 1
            assert found.blocking == pytest.approx(case["expected"].get("blocking_general", 0.0)), case["file"]
            assert found.accuracy == case["expected"].get("accuracy", 1.0), case["file"]
    assert checked >= 9
