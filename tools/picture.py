"""Puts what the demo really printed into README.md: as text between its markers, and as a picture, docs/demo.svg.

``make readme`` runs it. It fails where the demo fails, and then changes nothing.
"""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

_TOP = Path(__file__).parent.parent
_README = _TOP / "README.md"
_PICTURE = _TOP / "docs" / "demo.svg"
_BEGIN, _END = "<!-- demo: written by make readme -->", "<!-- end of demo -->"
_SHOWN = "![The first part of what the demo printed](docs/demo.svg)"
_WIDTH = 126
_SECTIONS = 3
"""How many of the demo's sections the picture shows; the text below it shows all."""
# A page must not fetch a font from somebody else's server when it is read.
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def printed() -> str:
    """What the demo prints, with colours and without the frames of what moves."""
    ran = subprocess.run(
        [sys.executable, "-m", "rozaneh.cli", "demo"],
        env={
            **os.environ,
            "COLUMNS": str(_WIDTH),
            "LANG": "C.UTF-8",
            "ROZANEH_LANG": "en",
            "TERM": "xterm-256color",
            "TTY_COMPATIBLE": "1",
            "TTY_INTERACTIVE": "0",
        },
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )
    if ran.returncode:
        sys.exit(f"the demo ended with {ran.returncode}; nothing was changed")
    return ran.stdout


def beginning(text: Text) -> Text:
    """The first sections: each begins with a heading that a rule fills up."""
    lines = text.split("\n", allow_blank=True)
    heads = [number for number, line in enumerate(lines) if line.plain.rstrip().endswith("──")]
    return Text("\n").join(lines[: heads[_SECTIONS]] if len(heads) > _SECTIONS else lines)


def svg(text: Text) -> str:
    """The text as it looks on a terminal."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(text, soft_wrap=True)
    return _FONTS.sub("", console.export_svg(title="rozaneh demo", unique_id="demo"))


def main() -> None:
    """Run the demo once and write both."""
    text = Text.from_ansi(printed())
    readme = _README.read_text(encoding="utf-8")
    before, begin, rest = readme.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        sys.exit(f"README.md has lost its markers; put back {_BEGIN} and {_END}")
    _PICTURE.write_text(svg(beginning(text)), encoding="utf-8")
    plain = "\n".join(line.rstrip() for line in text.plain.splitlines()).strip("\n")
    shown = f"{_SHOWN}\n\nAll of it, as text:\n\n```text\n$ make demo\n{plain}\n```"
    _README.write_text(f"{before}{_BEGIN}\n{shown}\n{_END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
