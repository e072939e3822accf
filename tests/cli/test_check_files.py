import datetime as dt
from pathlib import Path

import msgspec
import pytest

from rozaneh.cli.check_files import create, urls_of, write
from rozaneh.cli.place import Placed
from rozaneh.core import LocalFault, Observation
from rozaneh.diagnosis import judge
from rozaneh.ooni import Place, decode, own
from rozaneh.probe import EndpointResult, Service, ServiceResult
from rozaneh.probe.services import service_of_url
from rozaneh.words import Words
from tests.ooni.seen import PAGE, STARTED, attempt, evidence

ENGLISH = Words("en")
LIST = "url,category_code\nhttps://a.example/,NEWS\nhttps://b.example/,POLR\nhttp://10.0.0.1/,NEWS\n"


def listed(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(text)
    return path


def test_a_list_gives_its_urls_and_says_what_it_leaves_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = listed(tmp_path, LIST)
    assert urls_of(path, (), ENGLISH) == ["https://a.example/"]
    said = capsys.readouterr().err
    assert f"{path}, line 4: an address that is not on the public internet" in said
    assert "POLR. To measure one: --category POLR" in said
    assert urls_of(path, ("POLR",), ENGLISH) == ["https://a.example/", "https://b.example/"]


def test_rubbish_does_not_flood_the_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    urls_of(listed(tmp_path, "https://a.example/\n" + "rubbish\n" * 100), (), ENGLISH)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 21
    assert said[-1] == "80 more lines were left out."


@pytest.mark.parametrize("text", ["", "rubbish\n", "url,category_code\nhttps://b.example/,POLR\n"])
def test_nothing_to_measure_is_wrong_use(text: str, tmp_path: Path) -> None:
    with pytest.raises(LocalFault, match="no site is left to measure"):
        urls_of(listed(tmp_path, text), (), ENGLISH)
    with pytest.raises(LocalFault, match="No such file"):
        urls_of(tmp_path / "nowhere.csv", (), ENGLISH)


def result(steps: tuple[Observation, ...] = PAGE) -> ServiceResult:
    service: Service = service_of_url("https://www.example.com/")
    seen = evidence(attempt(*steps))
    one = EndpointResult(endpoint=service.endpoint[0], verdict=judge(seen), evidence=seen, seconds=1.0)
    when = dt.datetime(2022, 10, 1, 16, tzinfo=dt.UTC)
    return ServiceResult(service=service, deciding=one, endpoints=(one,), ended=when, seconds=1.0)


def test_what_was_seen_is_written_for_its_owner_alone_and_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "seen.jsonl"
    write(create(path), [result()], Placed(Place(asn=44244, country="IR"), "user"), ["85.133.207.14"], ENGLISH)
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    (line,) = path.read_bytes().splitlines()
    read = decode(line)
    assert read.started is not None
    assert read.started.timestamp() == STARTED
    assert (read.asn, read.country) == (44244, "IR")
    carried = own(read)
    assert carried is not None
    assert carried.verdict is not None
    assert carried.verdict.verdict == "ok"
    with pytest.raises(LocalFault, match="File exists"):
        create(path)


def test_a_file_that_may_be_handed_on_holds_no_address_of_its_maker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = msgspec.structs.replace(PAGE[-1], tags=dict(PAGE[-1].tags) | {"body_head": "your address: 85.133.207.14"})
    told = result((*PAGE[:-1], shown))
    path, unknown = tmp_path / "seen.jsonl", tmp_path / "unknown.jsonl"
    write(create(path), [told], Placed(), ["85.133.207.14"], ENGLISH)
    assert b"85.133.207.14" not in path.read_bytes()
    assert b"your address: [scrubbed]" in path.read_bytes()
    assert capsys.readouterr().err == ""
    write(create(unknown), [told], Placed(), [], ENGLISH)
    assert "measure again with --my-address" in capsys.readouterr().err
