"""What README promises of the observatory: its three commands, typed as they stand there, show the curfew on a page."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from rozaneh.lab.country import load_timeline
from tests.observatory import made
from tools.documented import commands

_PROGRAM = (sys.executable, "-m", "rozaneh.cli")
_LEFT, _WIDE = 96, 12  # of the map of hours: where it begins, and how wide an hour is


@pytest.fixture
def typed() -> list[list[str]]:
    """The commands, as README has them."""
    shown = [each.text.split() for each in commands() if each.path == "README.md"]
    found = [words[1:] for words in shown if words[0].endswith("rozaneh") and words[1:3] == ["lab", "country"]]
    found += [words[1:] for words in shown if words[0].endswith("rozaneh") and words[1] == "observe"]
    assert [words[:2] for words in found] == [["lab", "country"], ["observe", "ingest"], ["observe", "serve"]]
    return found


def _read(address: str) -> str:
    with urlopen(address, timeout=60) as answer:  # noqa: S310 - loopback
        text: bytes = answer.read()
    return text.decode()


@contextmanager
def _served(show: Sequence[str]) -> Iterator[str]:
    """The address under which pages are served meanwhile, without the language."""
    with subprocess.Popen([*_PROGRAM, *show, "--port", "0"], stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            told = re.search(r"http://\S+/", served.stdout.readline())
            assert told is not None
            yield told[0].removesuffix("en/")
        finally:
            served.terminate()


def _shows_that_there_is_too_little(typed: list[list[str]], folder: Path) -> None:
    """The commands on a folder of OONI's own files, from which nobody may be told."""
    _, take, show = typed
    place = take.index("ingest") + 1
    words = [*take[:place], str(folder), *take[place + 1 :], "--json"]
    done = subprocess.run([*_PROGRAM, *words], check=True, capture_output=True, timeout=300)
    assert json.loads(done.stdout)["kept"] > 0
    with _served(show) as home:
        english, persian = (_read(f"{home}{tongue}/index.html") for tongue in ("en", "fa"))
        countries = json.loads(_read(f"{home}data/countries.json"))
    assert countries == []
    assert "There are measurements here, but too few to show." in english
    assert "Too little has been measured to tell whether anything happened." in english
    assert "چیزی خراب نیست" in persian
    assert "from 0 measurements" not in english
    assert "nobody measured this" not in english


def test_the_same_commands_on_a_folder_of_a_few_files_say_that_it_is_too_little(
    typed: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, country in enumerate(("IR", "IT")):
        name = f"2022092112_{country}_webconnectivity.n0.0.jsonl.gz"
        made.write(
            tmp_path / "raw" / "20220921" / "12" / country / "webconnectivity" / name,
            [made.web(number, probe_cc=country)],
        )
    _shows_that_there_is_too_little(typed, tmp_path / "raw")


def test_the_same_commands_on_files_that_ooni_made(
    typed: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outside: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    _shows_that_there_is_too_little(typed, outside / "measurement" / "ooni_wc_qa")


def test_three_commands_show_the_curfew(
    typed: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All as it stands there, but for the timeline's length: its first weeks hold the curfew too."""
    monkeypatch.chdir(tmp_path)
    make, take, show = typed
    place = make.index("--timeline") + 1
    assert load_timeline(make[place]).country == "IR"
    source = Path(sys.modules["rozaneh.lab.country"].__file__ or "").parent / "timelines" / f"{make[place]}.toml"
    short = source.read_text(encoding="utf-8")
    for key, value in (("start", "2022-09-09"), ("end", "2022-10-01"), ("per_hour", "36.0")):
        short = re.sub(rf"^{key} = .*$", f"{key} = {value}", short, count=1, flags=re.MULTILINE)
    short = re.sub(r"^days = .*\n", "", short, flags=re.MULTILINE).replace("2022-09-01T", "2022-09-09T")
    short = short[: short.index("[[liar]]")]
    (tmp_path / "weeks.toml").write_text(short, encoding="utf-8")
    for words in ([*make[:place], "weeks.toml", *make[place + 1 :]], take):
        subprocess.run([*_PROGRAM, *words], check=True, capture_output=True, timeout=300)
    with _served(show) as home:
        pages = {tongue: _read(f"{home}{tongue}/IR/index.html") for tongue in ("en", "fa")}
    assert re.search(r"Curfew in Iran \([^)]*Irancell[^)]*\): connections were cut from 16:00 to 24:00", pages["en"])
    assert "قطعِ هرروزه" in pages["fa"]
    assert "nobody measured this" in pages["en"], "a journalist must not take it for news"
    dark = [
        int(x)
        for part in re.findall(r'<path class="s[45]" d="([^"]+)"', pages["en"])
        for x in re.findall(r"M(\d+) ", part)
    ]
    evening = [x for x in dark if x >= _LEFT + 15 * _WIDE]
    assert len(evening) > 20
    assert len(evening) > 0.85 * len(dark)
