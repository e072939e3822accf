"""What an independent reader sees in a QR code: zbar, from pictures and from what a terminal shows."""

import re
import subprocess
from pathlib import Path

_SIDE = 4
_BLACK_ON_WHITE = "\x1b[30;107m"
_DRAWN = {"█": (True, True), "▀": (True, False), "▄": (False, True), " ": (False, False)}


def read(zbarimg: str, picture: Path) -> list[str]:
    """The texts of the codes in a picture."""
    # Where it was built with D-Bus it would tell others of what it read.
    words = [zbarimg, "--nodbus", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", str(picture)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.splitlines()


def photograph(shown: str, picture: Path) -> None:
    """Write the picture that a terminal shows of half blocks, in its own colours unless the text sets others."""
    lines = [line for line in shown.splitlines() if set(line) & set("█▀▄")]
    coloured = lines[0].startswith(_BLACK_ON_WHITE)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    rows = []
    for line in lines:
        for half in (0, 1):
            # The colour of text is black where that was set, and white on a dark terminal.
            pixels = bytes(0 if _DRAWN[char][half] is coloured else 255 for char in line for _ in range(_SIDE))
            rows += [pixels] * _SIDE
    picture.write_bytes(b"P5 %d %d 255\n" % (len(rows[0]), len(rows)) + b"".join(rows))
