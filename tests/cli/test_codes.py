"""QR codes as a camera sees them: on a terminal of either colour, as a file, and as several."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rozaneh.cli import codes
from rozaneh.core import LocalFault
from rozaneh.links import parse, read
from rozaneh.words import Words
from tests.codes import photograph
from tests.codes import read as seen

HOME = "ss://YWVzLTEyOC1nY206Z2VoZWlt@192.168.100.1:8888#%D8%AE%D8%A7%D9%86%D9%87"
BRIDGE = "obfs4 192.0.2.3:443 CDF2E852BF539B82BD10E27E9115A31734E378C2 cert=" + "A" * 70 + " iat-mode=0"
LONG = f"vless://b831381d-6324-4d53-ad4f-8cda48b30811@h.example:443?type=ws&security=tls&path=/{'x' * 1500}#n"


@pytest.mark.parametrize("link", [HOME, BRIDGE])
@pytest.mark.parametrize("coloured", [True, False])
def test_a_camera_reads_what_a_terminal_shows(
    link: str, coloured: bool, peer: Callable[[str], str], tmp_path: Path
) -> None:
    photograph(codes.drawn(link, coloured=coloured), tmp_path / "terminal.pgm")
    assert seen(peer("zbarimg"), tmp_path / "terminal.pgm") == [link]


def test_a_link_that_is_too_long_for_one_comes_back_from_several(
    peer: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zbarimg = peer("zbarimg")
    paths = codes.save(LONG, tmp_path / "way.png")
    assert [path.name for path in paths] == ["way-1.png", "way-2.png", "way-3.png"]
    texts = [text for path in reversed(paths) for text in seen(zbarimg, path)]
    codes.show(LONG, Words("en"))
    shown = capsys.readouterr().out
    assert "QR code 3 of 3:" in shown
    assert len(texts) == 3
    ways, wrong = read("\n".join(["some words", *texts, texts[0]]))
    assert ways == [parse(LONG)]
    assert [each.place for each in wrong] == ["line 1"]


def test_a_terminal_that_is_too_narrow_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "30")
    with pytest.raises(LocalFault, match="a terminal of 41 columns"):
        codes.show(HOME, Words("en"))
