"""What is built from the repository holds what the program reads at run time."""

import subprocess
import sys
import zipfile
from pathlib import Path

from tools.documented import TOP


def test_the_wheel_holds_the_data(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=TOP,
        check=True,
        capture_output=True,
        timeout=100,
    )
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    source = TOP / "src"
    data = {
        str(path.relative_to(source))
        for path in (source / "rozaneh").rglob("*")
        if path.suffix in (".mo", ".po", ".toml", ".typed")
    }
    assert "rozaneh/words/locale/fa/LC_MESSAGES/rozaneh.mo" in data
    assert data <= held
    assert {f"rozaneh/{path.relative_to(TOP)}" for path in (TOP / "scenarios").rglob("*.toml")} <= held
    assert not [name for name in held if not name.startswith(("rozaneh/", "rozaneh-"))]
