"""Measurements that wait: signed, once each, in a folder that is there only if needed, and whole after any end."""

import datetime as dt
import gzip
import json
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rozaneh.core import LocalFault, RemoteFault
from rozaneh.probe.share import bundle
from rozaneh.probe.share.private import Private
from rozaneh.probe.share.scrub import NotScrubbed
from rozaneh.probe.share.signing import KEY, LIFE, SIGNATURE, key_of, sign, verify
from rozaneh.probe.share.waiting import Waiting, digest_of

NOW = dt.datetime(2022, 9, 21, 15, 50, tzinfo=dt.UTC)
PRIVATE = Private.of(["85.133.207.14"])


def measurement(number: int = 1, body: str = "your address 85.133.207.14") -> dict[str, Any]:
    return {
        "annotations": {"network_type": "mobile"},
        "input": f"https://site-{number}.example/",
        "measurement_start_time": "2022-09-21 15:50:12",
        "test_start_time": "2022-09-21 15:50:12",
        "test_name": "web_connectivity",
        "test_keys": {"requests": [{"response": {"body": body}}]},
    }


def test_what_is_kept_is_scrubbed_coarse_signed_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    held = Waiting(tmp_path / "state" / "share")
    digest = held.keep(measurement(), PRIVATE, NOW)
    kept = held.read(digest)
    verify(kept)
    assert kept["measurement_start_time"] == "2022-09-21 15:00:00"
    assert kept["test_keys"]["requests"][0]["response"]["body"] == "your address [scrubbed]"
    for path in held.folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        if path.is_file():
            assert b"85.133.207.14" not in path.read_bytes()


def test_the_same_measurement_is_kept_once_and_not_again_after_it_was_sent(tmp_path: Path) -> None:
    held = Waiting(tmp_path / "share")
    first = held.keep(measurement(), PRIVATE, NOW)
    assert held.keep(measurement(), PRIVATE, NOW + 2 * LIFE) == first
    other = held.keep(measurement(2), PRIVATE, NOW)
    assert set(held) == {first, other}
    held.done(first)
    assert list(held) == [other]
    assert held.keep(measurement(), PRIVATE, NOW) == first
    assert list(held) == [other]
    assert held.sent() == [first]


def test_what_cannot_be_made_fit_is_not_written(tmp_path: Path) -> None:
    held = Waiting(tmp_path / "share")
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    for wrong in ({**measurement(), "test_keys": deep}, {**measurement(), "measurement_start_time": "now"}):
        with pytest.raises(LocalFault):
            held.keep(wrong, PRIVATE, NOW)
    with pytest.raises(NotScrubbed):
        held.keep({**measurement(), "test_keys": b"bytes"}, PRIVATE, NOW)
    assert not held.folder.exists()


def test_a_changed_measurement_is_not_carried(tmp_path: Path) -> None:
    held = Waiting(tmp_path / "share")
    kept = held.read(held.keep(measurement(), PRIVATE, NOW))
    other = Waiting(tmp_path / "other")
    for changed in (
        {**kept, "input": "https://evil.example/"},
        {**kept, "annotations": {**kept["annotations"], KEY: "x"}},
        {**kept, "annotations": {k: v for k, v in kept["annotations"].items() if k != SIGNATURE}},
        {**kept, "annotations": None},
    ):
        with pytest.raises(RemoteFault):
            other.take_in(changed)
    assert not other.folder.exists()
    assert other.take_in({**kept, "report_id": "given later"}) == digest_of(kept)


def test_what_could_be_taken_in_and_not_be_sent_on_is_not_taken_in(tmp_path: Path) -> None:
    held, nested = Waiting(tmp_path / "share"), dict[str, Any]()
    inner = nested
    for _ in range(70):
        inner["x"] = inner = {}
    signed = sign({**measurement(), "test_keys": nested}, key_of(tmp_path / "key", NOW))
    with pytest.raises(RemoteFault, match="nested more than 64 deep"):
        held.take_in(signed)
    assert list(held) == []


def test_the_key_lives_for_a_week_and_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "key"
    first = key_of(path, NOW).private_bytes_raw()
    assert key_of(path, NOW + LIFE - dt.timedelta(hours=1)).private_bytes_raw() == first
    second = key_of(path, NOW + LIFE).private_bytes_raw()
    assert second != first
    assert key_of(path, NOW).private_bytes_raw() != second, "a clock that went back"
    path.write_bytes(b"rubbish")
    assert key_of(path, NOW).private_bytes_raw() not in (first, second)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_machines_with_one_clock_share_no_token(tmp_path: Path) -> None:
    kept = []
    for machine in ("a", "b"):
        held = Waiting(tmp_path / machine)
        kept.append(held.read(held.keep(measurement(ord(machine), body="x"), PRIVATE, NOW))["annotations"])
    assert set(kept[0].values()) & set(kept[1].values()) == {"mobile"}


def test_a_damaged_file_is_set_aside_and_the_rest_is_read(tmp_path: Path) -> None:
    held = Waiting(tmp_path / "share")
    good, bad = sorted(held.keep(measurement(number), PRIVATE, NOW) for number in (1, 2))
    (held.folder / "waiting" / f"{bad}.json").write_bytes(b'{"half": ')
    with pytest.raises(LocalFault, match=bad):
        held.read(bad)
    assert list(held) == [good]
    held.read(good)


def test_a_bundle_is_a_file_of_measurements_that_anyone_can_read(tmp_path: Path) -> None:
    held = Waiting(tmp_path / "share")
    kept = [held.read(held.keep(measurement(number), PRIVATE, NOW)) for number in (1, 2, 3)]
    file = tmp_path / "carry.jsonl.gz"
    file.write_bytes(bundle.packed(kept))
    assert bundle.packed(kept) == file.read_bytes()
    assert [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()] == kept
    file.write_bytes(file.read_bytes() + gzip.compress(b"not json\n[1]\n" + b"{}\n"))
    read = list(bundle.read(file))
    assert [value for _, value in read if isinstance(value, dict)] == [*kept, {}]
    assert [number for number, value in read if isinstance(value, str)] == [4, 5]
    file.write_bytes(file.read_bytes()[:-20])
    assert [value for _, value in bundle.read(file) if isinstance(value, dict)][:3] == kept
    with pytest.raises(LocalFault):
        list(bundle.read(tmp_path / "absent"))


def test_forgetting_leaves_nothing(tmp_path: Path) -> None:
    held = Waiting(tmp_path / "share")
    assert held.forget() == []
    held.done(held.keep(measurement(), PRIVATE, NOW))
    held.keep(measurement(2), PRIVATE, NOW)
    assert {path.name for path in held.forget()} > {"key"}
    assert list(tmp_path.glob("share*")) == []


def test_two_programs_do_not_send_at_once(tmp_path: Path) -> None:
    held = Waiting(tmp_path / "share")
    with held.alone(), pytest.raises(LocalFault, match="another program"), Waiting(held.folder).alone():
        pass


def test_an_end_at_any_moment_leaves_whole_measurements(tmp_path: Path) -> None:
    code = (
        "import datetime as dt, sys; from pathlib import Path\n"
        "from tests.probe.share.test_waiting import measurement, PRIVATE, NOW, Waiting\n"
        "held = Waiting(Path(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "for number in range(10**6): held.keep(measurement(number, 'x' * 2000), PRIVATE, NOW)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "share")], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        held = Waiting(tmp_path / "share")
        while len(list(held)) < 5:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    found = list(held)
    assert len(found) >= 5
    for digest in found:
        verify(held.read(digest))
