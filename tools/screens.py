"""Takes the picture of docs/observatory.md: a country's page in both languages, side by side, in a real Chromium.

``python -m tools.screens STORE`` publishes the store and photographs it; look at what it made before you commit it.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rozaneh.core import RozanehError
from rozaneh.observatory.dashboard.opening import open_site
from rozaneh.observatory.dashboard.publish import publish

_PICTURE = Path(__file__).parent.parent / "docs" / "observatory.png"
_WIDTH, _HEIGHT = 500, 1000
_BESIDE = """<!doctype html><style>body{{margin:0;display:flex;gap:10px;background:#999}}
iframe{{border:0;width:{width}px;height:{height}px}}</style>
<iframe src="en/{page}"></iframe><iframe src="fa/{page}"></iframe>"""
_QUIET = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--no-sandbox",
)  # fmt: skip


def main() -> int:
    """Publish, photograph, replace the picture."""
    parser = argparse.ArgumentParser(prog="python -m tools.screens", description=__doc__.partition("\n")[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--page", default="IR/index.html", help="below the language")
    parser.add_argument("--out", type=Path, default=_PICTURE)
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is missing; as root: apt-get install chromium")
    with tempfile.TemporaryDirectory() as room:
        try:
            publish(open_site(options.store), Path(room) / "site", lambda _done, _of: None)
        except RozanehError as error:
            sys.exit(str(error))
        both = Path(room) / "site" / "both.html"
        both.write_text(_BESIDE.format(page=options.page, width=_WIDTH, height=_HEIGHT), encoding="utf-8")
        subprocess.run(
            [chromium, *_QUIET, f"--user-data-dir={room}/profile", f"--window-size={2 * _WIDTH + 10},{_HEIGHT}",
             f"--screenshot={options.out.absolute()}", both.as_uri()],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
    print(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
