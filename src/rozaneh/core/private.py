"""Folders that nobody else on this machine looks into."""

from pathlib import Path

__all__ = ["private_folder"]


def private_folder(folder: Path) -> None:
    """Make a folder for its owner alone, and whatever is missing above it; those that are there keep their modes.

    ``Path.mkdir(parents=True, mode=…)`` gives the mode to the last folder alone, so that the names of what lies in
    between could be read.

    Raises:
        OSError: it cannot be made.
    """
    for part in reversed((folder, *folder.parents)):
        part.mkdir(mode=0o700, exist_ok=True)
