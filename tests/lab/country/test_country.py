import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rozaneh.core import LocalFault
from rozaneh.lab.country import load_timeline, simulate, timeline_names
from rozaneh.lab.country.timeline import Timeline, parse_timeline, usual_services
from rozaneh.ooni import decode, web_keys

_TEHRAN = ZoneInfo("Asia/Tehran")

SMALL = """
name = "small"
country = "IR"
zone = "Asia/Tehran"
start = 2022-09-19
end = 2022-09-23
per_hour = 20.0
people = 60
failing = 0.0
late = 0.2
[[network]]
asn = 44244
name = "mobile"
type = "mobile"
[[network]]
asn = 58224
name = "fixed"
[[event]]
kind = "curfew"
start = 2022-09-20T00:00:00
end = 2022-09-22T23:59:59
hours = ["16:00", "24:00"]
networks = [44244]
share = 1.0
[[event]]
kind = "block"
start = 2022-09-21T12:00:00
services = ["instagram"]
mechanism = "dns_forgery"
share = 1.0
[[event]]
kind = "refusal"
start = 2022-09-19T00:00:00
services = ["google-cloud"]
share = 1.0
[[liar]]
start = 2022-09-20T02:00:00
end = 2022-09-20T04:00:00
network = 58224
services = ["wikipedia"]
per_hour = 10.0
"""


def _small(text: str = SMALL) -> Timeline:
    return parse_timeline(text.encode(), "small.toml")


def _measurements(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.rglob("*.jsonl.gz")):
        with gzip.open(path) as lines:
            yield from map(json.loads, lines)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("country") / "out"
    simulate(_small(), folder, seed=3)
    return folder, list(_measurements(folder))


def _local(measurement: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(measurement["measurement_start_time"] + "+00:00").astimezone(_TEHRAN)


@pytest.mark.parametrize("name", timeline_names())
def test_our_timelines_are_right_and_say_their_sources(name: str) -> None:
    timeline = load_timeline(name)
    assert timeline.country == "IR"
    assert all(event.source for event in timeline.event)


def test_the_four_timelines_are_there() -> None:
    assert timeline_names() == ["2019-11", "2022-autumn", "2025-06", "2026-01"]


def test_the_curfew_falls_at_16_in_the_zone_of_that_day(played: tuple[Path, list[dict[str, Any]]]) -> None:
    seen: Counter[tuple[bool, bool]] = Counter()
    for each in played[1]:
        domestic = "digikala" in each["input"] or "aparat" in each["input"]
        if each["probe_asn"] == "AS44244" and "wikipedia" in each["input"]:
            local = _local(each)
            cut = 20 <= local.day <= 22 and local.hour >= 16
            seen[cut, each["test_keys"]["control_failure"] is not None] += 1
        if domestic:
            assert each["test_keys"]["accessible"] is True
    assert seen[True, True] > 5
    assert seen[False, False] > 5
    assert seen[True, False] == seen[False, True] == 0


def test_a_block_begins_at_its_minute_on_every_network(played: tuple[Path, list[dict[str, Any]]]) -> None:
    begin = datetime(2022, 9, 21, 12, tzinfo=_TEHRAN)
    for each in played[1]:
        if "instagram" in each["input"] and each["test_keys"]["control_failure"] is None:
            assert (each["test_keys"]["blocking"] == "dns") == (_local(each) >= begin)


def test_lines_are_of_the_format_that_ooni_has(played: tuple[Path, list[dict[str, Any]]]) -> None:
    for each in played[1][:200]:
        keys = web_keys(decode(json.dumps(each).encode()))
        assert keys.queries


def test_late_ones_stand_in_the_file_of_the_day_on_which_they_came(played: tuple[Path, list[dict[str, Any]]]) -> None:
    late = 0
    for each in played[1]:
        received = datetime.strptime(each["measurement_uid"][:14] + "+0000", "%Y%m%d%H%M%S%z")
        late += received - _local(each) > timedelta(hours=1)
    assert late > 0.1 * len(played[1])
    for path in played[0].rglob("*.jsonl.gz"):
        with gzip.open(path) as lines:
            assert {json.loads(line)["measurement_uid"][:8] for line in lines} == {path.name[:8]}


def test_a_liar_is_one_source_and_stands_in_the_labels(played: tuple[Path, list[dict[str, Any]]]) -> None:
    lies = [each for each in played[1] if each["software_version"].startswith("3.9.")]
    assert len(lies) > 5
    assert {(each["software_version"], each["probe_asn"]) for each in lies} == {("3.9.000", "AS58224")}
    labels = json.loads((played[0] / "labels.json").read_text())
    assert labels["liars"][0]["network"] == "AS58224"


def test_labels_are_the_timeline_as_events(played: tuple[Path, list[dict[str, Any]]]) -> None:
    labels = json.loads((played[0] / "labels.json").read_text())
    curfew, block, refusal = labels["events"]
    assert curfew["hours"] == list(range(16, 24))
    assert curfew["networks"] == ["AS44244"]
    assert (block["start"], block["end"]) == ("2022-09-21T07:30:00Z", None)
    assert block["mechanism"] == "dns_forgery"
    assert refusal["mechanism"] == "service_refusal"
    assert labels["measurements"] == len(played[1])


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate(_small(), tmp_path / name, seed=seed)
    a, b, c = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*.*")
            if path.is_file()
        }
        for name in "abc"
    )
    assert a == b != c


def test_pages_are_as_large_as_asked(tmp_path: Path) -> None:
    made = simulate(_small(), tmp_path / "x", per_hour=5, mean_bytes=20_000)
    assert 8_000 < made.size / made.measurements < 30_000


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('country = "IR"', 'country = "Iran"', "Expected `str` matching regex"),
        ("per_hour = 20.0", 'per_hour = "many"', "Expected `float`, got `str` - at `$.per_hour`"),
        ("per_hour = 20.0", "per_minute = 1", "unknown field `per_minute`"),
        ("networks = [44244]", "networks = [1]", "there is no network 1 - at `$.event[0].networks`"),
        ('services = ["instagram"]', 'services = ["myspace"]', "no service 'myspace' - at `$.event[1].services`"),
        ('hours = ["16:00", "24:00"]', "", "a curfew has hours, and nothing else has - at `$.event[0].hours`"),
        ('hours = ["16:00", "24:00"]', 'hours = ["16", "24"]', "at `$.event[0].hours[0]`"),
        ("end = 2022-09-23", "end = 2021-09-23", "is not within 1100 days after the start - at `$.end`"),
        ("end = 2022-09-22T23:59:59", "end = 2022-09-01T00:00:00", "it ends before it starts - at `$.event[0].end`"),
        ("Asia/Tehran", "Asia/Nowhere", "knows no time zone 'Asia/Nowhere' - at `$.zone`"),
        ("asn = 58224", "asn = 44244", "a network stands twice - at `$.network`"),
        ("network = 58224", "network = 5", "there is no network 5 - at `$.liar[0].network`"),
        ("[[network]]", "[[", "small.toml: "),
    ],
)  # fmt: skip
def test_a_wrong_timeline_gives_one_line_that_names_the_key(old: str, new: str, said: str) -> None:
    with pytest.raises(LocalFault) as caught:
        _small(SMALL.replace(old, new))
    assert said in str(caught.value)
    assert str(caught.value).startswith("small.toml: ")
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("x")
    with pytest.raises(LocalFault, match="not empty; give a new folder"):
        simulate(_small(), tmp_path)


def test_an_unknown_timeline_names_those_that_there_are() -> None:
    with pytest.raises(LocalFault, match="2022-autumn"):
        load_timeline("1999")


def test_services_are_those_of_the_catalogue() -> None:
    from rozaneh.probe import catalogue

    assert {service.id for service in usual_services()} <= {service.id for service in catalogue()}
