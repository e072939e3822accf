import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from rozaneh.cli.main import dispatch
from tests.ooni.build import RIGHT, connect, handshake, helper, lookup, measurement, request

FINE = measurement(
    queries=[lookup(RIGHT)],
    tcp_connect=[connect()],
    tls_handshakes=[handshake()],
    requests=[request()],
    control=helper(),
)
DENIED = measurement(queries=[lookup(failure="dns_nxdomain_error")], control=helper())


def replayed(capfdbinary: pytest.CaptureFixture[bytes], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        dispatch(["ooni", "replay", *map(str, arguments)])
    out, err = capfdbinary.readouterr()
    return int(ended.value.code or 0), out.decode(), err.decode()


def test_json_gives_both_verdicts_and_an_error_for_each_bad_line(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    mixed = tmp_path / "mixed.jsonl.gz"
    mixed.write_bytes(gzip.compress(FINE + b'\n{"test_keys":7}\n\n' + DENIED))
    code, out, _ = replayed(capfdbinary, mixed, "--json")
    assert code == 0
    fine, bad, denied = json.loads(out)
    assert all(set(each) == {"file", "classic", "verdict", "error"} for each in (fine, bad, denied))
    assert (fine["file"], fine["error"]) == (str(mixed), None)
    expected: dict[str, Any] = {
        "blocking": False, "accessible": True, "dns_consistency": "consistent", "x_blocking_flags": 32,
        "x_dns_flags": 0,
    }  # fmt: skip
    assert fine["classic"] == expected
    assert fine["verdict"]["verdict"] == "ok"
    assert (bad["classic"], bad["verdict"]) == (None, None)
    assert "$.test_keys" in bad["error"]
    assert denied["classic"]["blocking"] == "dns"
    assert set(denied["verdict"]) == {"verdict", "mechanism", "who", "confidence", "rules"}


def test_details_say_where_it_stands_and_what_else_is_known(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_bytes(FINE + b'\n{"test_keys":7}\n\n' + DENIED)
    code, out, _ = replayed(capfdbinary, mixed, "--json", "--details")
    fine, bad, denied = json.loads(out)
    assert code == 0
    assert [each["line"] for each in (fine, bad, denied)] == [1, 2, 4]
    assert (fine["test_name"], fine["input"]) == ("web_connectivity", "https://www.example.com/")
    assert set(fine) == set(bad) == {"file", "line", "test_name", "input", "score", "classic", "verdict", "error"}
    assert denied["classic"]["x_null_null_flags"] == 0
    assert {"where", "missing"} <= denied["verdict"].keys()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(FINE + b"\n" + DENIED)[:-30], "cut off"),
        (gzip.compress(FINE + b"\n") + b"junk", "trailing bytes"),
        (gzip.compress(FINE + b"\n") + gzip.compress(b"x")[:10] + b"\xff" * 60, "broken gzip"),
        (gzip.compress(FINE + b"\n" + b" " * (64 << 20)), "longer than"),
    ],
)
def test_a_file_that_breaks_off_was_not_read_though_what_stood_before_is_judged(
    content: bytes, reason: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = tmp_path / "broken.jsonl.gz"
    file.write_bytes(content)
    code, out, _ = replayed(capfdbinary, file, "--json")
    first, *_, last = json.loads(out)
    assert first["verdict"]["verdict"] == "ok"
    assert reason in last["error"]
    assert code == (0 if reason == "longer than" else 1), "a line too long costs itself alone"


def test_a_person_reads_one_line_for_each(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    pretty = tmp_path / "pretty.json"
    pretty.write_text(json.dumps(json.loads(DENIED), indent=2))
    code, out, err = replayed(capfdbinary, pretty)
    assert (code, err) == (0, "")
    (line,) = out.splitlines()
    assert "https://www.example.com/ is blocked" in line
    assert "OONI's rules: blocked (dns)." in line


def test_it_speaks_persian(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    file = tmp_path / "one.jsonl"
    file.write_bytes(DENIED)
    _, out, _ = replayed(capfdbinary, file, "--lang", "fa")
    assert "بسته است" in out
    assert "OONI's rules" not in out


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        ("a folder", "Is a directory"),
        (b"", "holds nothing"),
        (b"not json", "line 1: not a measurement"),
        (b"\x1f\x8b\x08", "cut off"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_the_others_still_are(
    content: bytes | str | None, reason: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(FINE)
    if content == "a folder":
        bad.mkdir()
    elif isinstance(content, bytes):
        bad.write_bytes(content)
    code, out, err = replayed(capfdbinary, bad, good)
    assert code == 1
    (line,) = err.splitlines()
    assert str(bad) in line
    assert reason in line
    assert len(out.splitlines()) == 1
