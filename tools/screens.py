"""Takes the pictures of docs/observatory-pages.md: every page in both languages, on a phone, in a real Chromium.

``python -m tools.screens STORE`` photographs a store's pages into docs/pages and notes what they were made from: a
test then says when they show something that is no more. Look at what it made before you commit it.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from rozaneh.core import RozanehError
from rozaneh.observatory import dashboard
from rozaneh.observatory.dashboard.opening import open_site
from rozaneh.observatory.dashboard.site import Site
from rozaneh.words import LANGUAGES

PICTURES = Path(__file__).parent.parent / "docs" / "pages"
NOTE = PICTURES / "made-from.txt"
LARGEST = 120_000
"""Bytes of a picture."""

_WIDTH, _HEIGHT, _SCALE = 412, 1500, 0.72
_SHOWN = """<!doctype html><style>body{{margin:0;width:{width}px;transform:scale({scale});transform-origin:0 0}}
iframe{{border:0;width:{width}px;height:{height}px}}</style><iframe src="{page}"></iframe>"""
_QUIET = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--no-sandbox",
)  # fmt: skip


def made_from() -> str:
    """What tells whether the pages still look as they do in the pictures: their templates, style and charts.

    Where charts import something from changes no picture.
    """
    top = Path(dashboard.__file__).parent
    lines = (top / "charts.py").read_bytes().splitlines(keepends=True)
    drawn = [line for line in lines if not line.startswith((b"import ", b"from "))]
    templates = [part.read_bytes() for part in sorted((top / "templates").iterdir())]
    return hashlib.sha256(b"".join([*templates, *drawn])).hexdigest()


def pages(site: Site) -> Iterator[tuple[str, str]]:
    """The name of a picture, and the page that it is of."""
    country = next(iter(site.countries))
    months, networks, services = site.months(country), site.networks(country), site.subjects(country)
    curfew = max(site.events, key=lambda name: ("-curfew-" in name, name))
    block = max(site.events, key=lambda name: ("-block-" in name, "-protocol-" not in name, name))
    yield "home", "index.html"
    yield "country", f"{country}/index.html"
    yield "month", f"{country}/{months[min(1, len(months) - 1)]}.html"
    yield "network", f"{country}/AS{networks[0]}.html"
    yield "service", f"{country}/service/{services[0]}.html"
    yield "curfew", f"events/{curfew}.html"
    yield "block", f"events/{block}.html"
    yield "search", "search.html"
    yield "method", "method.html"
    yield "missing", "nothing.html"


def _fewer_colours(picture: Path) -> None:
    """A page has few colours; their blends at edges of letters and hatching would make the file thrice as large."""
    with Image.open(picture) as shown:
        few = shown.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(picture, optimize=True)


def main() -> int:
    """Publish, photograph, replace the pictures."""
    parser = argparse.ArgumentParser(prog="python -m tools.screens", description=__doc__.partition("\n")[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--out", type=Path, default=PICTURES, help="directory")
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is missing; as root: apt-get install chromium")
    try:
        site = open_site(options.store, interactive=True)
    except RozanehError as error:
        sys.exit(str(error))
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as room:
        for language in LANGUAGES:
            for name, page in pages(site):
                made = site.page(f"{language}/{page}", "insta" if name == "search" else "")
                (Path(room) / "page.html").write_bytes((made or site.missing(f"{language}/{page}")).body)
                around = Path(room) / "shown.html"
                around.write_text(_SHOWN.format(width=_WIDTH, height=_HEIGHT, scale=_SCALE, page="page.html"))
                picture = options.out / f"{name}-{language}.png"
                size = f"--window-size={round(_WIDTH * _SCALE)},{round(_HEIGHT * _SCALE)}"
                subprocess.run(
                    [chromium, *_QUIET, f"--user-data-dir={room}/profile", size,
                     f"--screenshot={picture.absolute()}", around.as_uri()],
                    check=True, capture_output=True, timeout=120,
                )  # fmt: skip
                _fewer_colours(picture)
                if picture.stat().st_size > LARGEST:
                    sys.exit(f"{picture}: {picture.stat().st_size} bytes; a picture has at most {LARGEST}")
                print(picture)
    (options.out / NOTE.name).write_text(made_from() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
