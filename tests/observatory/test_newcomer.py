"""What README promises of the observatory: its three commands, typed as they stand there, show the curfew on a page."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from rozaneh.lab.country import load_timeline
from tools.documented import commands

_PROGRAM = (sys.executable, "-m", "rozaneh.cli")
_LEFT, _WIDE = 84, 12  # of the map of hours: where it begins, and how wide an hour is


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
    with subprocess.Popen([*_PROGRAM, *show, "--port", "0"], stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            told = re.search(r"http://\S+/", served.stdout.readline())
            assert told is not None
            home = told[0].removesuffix("en/")
            pages = {tongue: _read(f"{home}{tongue}/IR/index.html") for tongue in ("en", "fa")}
        finally:
            served.terminate()
    assert re.search(r"Curfew in Iran \([^)]*Irancell[^)]*\): connections were cut from 16:00 to 24:00", pages["en"])
    assert "قطعِ هرروزه" in pages["fa"]
    dark = [
        int(x)
        for part in re.findall(r'<path class="s[45]" d="([^"]+)"', pages["en"])
        for x in re.findall(r"M(\d+) ", part)
    ]
    evening = [x for x in dark if x >= _LEFT + 15 * _WIDE]
    assert len(evening) > 20
    assert len(evening) > 0.85 * len(dark)
