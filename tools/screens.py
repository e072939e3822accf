"""Takes the pictures of docs/observatory.md: the pages in both languages, on a phone, in a real Chromium.

``python -m tools.screens STORE`` photographs the store's pages: first page, country, newest curfew (or other event),
search and method side by side, one picture for each language. Look at what it made before you commit it.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rozaneh.core import RozanehError
from rozaneh.observatory.dashboard.opening import open_site
from rozaneh.words import LANGUAGES

_DOCS = Path(__file__).parent.parent / "docs"
_WIDTH, _HEIGHT, _SCALE = 412, 1500, 0.55
_BESIDE = """<!doctype html><style>body{{margin:0;background:#999;width:{across}px;transform:scale({scale});
transform-origin:0 0;display:flex;gap:12px}}iframe{{border:0;flex:none;width:{width}px;height:{height}px}}
</style>{frames}"""
_QUIET = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--no-sandbox",
)  # fmt: skip


def main() -> int:
    """Publish, photograph, replace the picture."""
    parser = argparse.ArgumentParser(prog="python -m tools.screens", description=__doc__.partition("\n")[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--out", type=Path, default=_DOCS, help="directory")
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is missing; as root: apt-get install chromium")
    try:
        site = open_site(options.store)
    except RozanehError as error:
        sys.exit(str(error))
    country = next(iter(site.countries))
    event = max(site.events, key=lambda name: ("-curfew-" in name, name))
    pages = ("index.html", f"{country}/index.html", f"events/{event}.html", "search.html", "method.html")
    across = len(pages) * (_WIDTH + 12) - 12
    with tempfile.TemporaryDirectory() as room:
        for language in LANGUAGES:
            for page in pages:
                made = site.page(f"{language}/{page}")
                target = Path(room) / language / page
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(made.body if made else b"")
            frames = "".join(f'<iframe src="{language}/{page}"></iframe>' for page in pages)
            beside = Path(room) / f"{language}.html"
            beside.write_text(
                _BESIDE.format(across=across, scale=_SCALE, width=_WIDTH, height=_HEIGHT, frames=frames),
                encoding="utf-8",
            )
            picture = options.out / f"observatory-{language}.png"
            size = f"--window-size={round(across * _SCALE)},{round(_HEIGHT * _SCALE)}"
            subprocess.run(
                [chromium, *_QUIET, f"--user-data-dir={room}/profile", size, f"--screenshot={picture.absolute()}",
                 beside.as_uri()],
                check=True, capture_output=True, timeout=120,
            )  # fmt: skip
            print(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
