"""The file of ways: for its owner alone, whole or not at all, and one bad line loses nothing else."""

import multiprocessing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from rozaneh.core import LocalFault, SpecError
from rozaneh.gateway.given import parse_way, parse_ways
from rozaneh.gateway.stored import FILE, WayFile, stored_ways
from rozaneh.links import parse, read
from rozaneh.links.own import program, with_plugin
from rozaneh.net.real import RealNetwork
from tests.links.test_lists import CONF

SS = "ss://YWVzLTEyOC1nY206dGVzdA@192.168.100.1:8888#Example1"
TROJAN = "trojan://geheim@h.example:443"
UUID = "b831381d-6324-4d53-ad4f-8cda48b30811"


def kept(folder: Path, told: list[str] | None = None) -> WayFile:
    return WayFile(folder / FILE, (told if told is not None else []).append)


def test_what_is_added_is_there_again(tmp_path: Path) -> None:
    ways = [parse(SS), parse(TROJAN), *read(CONF)[0], program(["sslocal", "{port}"], name="mine")]
    added = kept(tmp_path).add(ways)
    again = kept(tmp_path).load()
    assert again == added
    assert [each.name for each in again] == ["Example1", "h.example-443", "Tehran", "mine"]
    assert [each.way.way for each in again] == [each.way for each in ways]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert kept(tmp_path).add(ways) == []


def test_the_yes_to_a_plugin_is_kept(tmp_path: Path) -> None:
    way = parse("ss://aes-256-gcm:x@h.example:1?plugin=obfs-local%3Bobfs%3Dtls")
    kept(tmp_path).add([way])
    assert not kept(tmp_path).load()[0].way.way
    kept(tmp_path).remove(["h.example-1"])
    kept(tmp_path).add([with_plugin(way)])
    assert kept(tmp_path).load()[0].way.way.endswith("|plugin:obfs-local;obfs=tls")


def test_names_differ_and_are_how_ways_are_removed(tmp_path: Path) -> None:
    file = kept(tmp_path)
    file.add([parse(SS), parse(SS.replace("8888", "8889"))])
    assert [each.name for each in file.load()] == ["Example1", "Example1-2"]
    assert file.remove(["Example1"])[0].way.place == "192.168.100.1:8888"
    assert [each.name for each in file.find([])] == ["Example1-2"]
    with pytest.raises(LocalFault, match="no way is called 'x'"):
        file.remove(["Example1-2", "x"])
    assert len(file.load()) == 1


def test_a_bad_line_is_named_and_kept(tmp_path: Path) -> None:
    kept(tmp_path).add([parse(SS)])
    path = tmp_path / FILE
    path.write_bytes(b'{"name": "x"}\nnonsense\n' + path.read_bytes() + b'{"name":"y","kind":"ss","text":"exec:sh"}\n')
    told: list[str] = []
    file = kept(tmp_path, told)
    assert [each.name for each in file.load()] == ["Example1"]
    assert [line.split(": ")[0].rpartition(", ")[2] for line in told] == ["line 1", "line 2", "line 4"]
    file.remove(["Example1"])
    assert path.read_bytes().count(b"\n") == 3


def test_links_that_fill_the_file_cost_no_other(tmp_path: Path) -> None:
    kept(tmp_path).add([parse(TROJAN)])
    long = [parse(f"vless://{UUID}@h.example:{port}?type=ws&path=/{'y' * 7000}") for port in range(1, 700)]
    with pytest.raises(LocalFault, match="more than 4 MiB"):
        kept(tmp_path).add(long)
    assert [each.name for each in kept(tmp_path).load()] == ["h.example-443"]


def test_others_may_not_read_it(tmp_path: Path) -> None:
    kept(tmp_path).add([parse(SS)])
    (tmp_path / FILE).chmod(0o644)
    with pytest.raises(LocalFault, match="chmod 600"):
        kept(tmp_path).load()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalFault, match=r"cannot read .*Not a directory"):
        WayFile(tmp_path / "file" / FILE).add([parse(SS)])


def test_what_cannot_be_gone_here_is_said_and_left_out(tmp_path: Path) -> None:
    reality = parse(f"vless://{UUID}@h.example:1?security=reality")
    kept(tmp_path).add([parse(SS), reality, program(["absent", "{port}"])])
    told: list[str] = []
    specs = stored_ways(tmp_path, RealNetwork(), told.append)
    assert [spec.redacted() for spec in specs] == ["ss://***@192.168.100.1:8888|tcp"]
    assert ["not installed" in line for line in told] == [True]
    assert stored_ways(tmp_path / "nothing", RealNetwork(), told.append) == []


def test_a_server_may_be_given_in_any_format() -> None:
    assert str(parse_way(TROJAN)) == f"{TROJAN}|tcp"
    assert str(parse_way("split:2|ss://aes-128-gcm:x@h.example:1")).endswith("|split:2|tcp")
    assert str(parse_way("socks5://h.example|split:2|tcp")) == "socks5://h.example:1080|split:2|tcp"
    told: list[str] = []
    assert len(parse_ways([TROJAN, "# no", "", "tlsfrag:1", "exec:sh {port}"], "x", told.append)) == 1
    assert len(told) == 2
    with pytest.raises(SpecError, match="program of its own"):
        parse_way(f"vless://{UUID}@h.example:1?security=reality")


def test_of_two_processes_that_add_at_once_neither_loses_a_way(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    begin = spawn.Barrier(2)
    both = [spawn.Process(target=_adds, args=(tmp_path, first, begin)) for first in (1, 101)]
    for each in both:
        each.start()
    for each in both:
        each.join()
        assert each.exitcode == 0
    assert len(kept(tmp_path).load()) == 40


def _adds(folder: Path, first: int, begin: Barrier) -> None:
    begin.wait(60)
    for number in range(first, first + 20):
        WayFile(folder / FILE).add([parse(f"socks5://192.0.2.{number}:1080")])
