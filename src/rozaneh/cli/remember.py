"""What control vantages said, kept for a day on this disk by those who ask for it, for checks offline."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from rozaneh.core import LocalFault
from rozaneh.gateway.given import state_folder
from rozaneh.probe.remembered import Remembered
from rozaneh.words import later, mark

Remember = Annotated[
    bool,
    typer.Option(
        "--remember",
        help=mark(
            "Keep on this device, for a day, what the control vantages say of each site, for checks in which none can"
            " be reached. 'rozaneh consent --no' removes it."
        ),
    ),
]


def kept_controls() -> Path:
    """The file of this user."""
    return state_folder() / "controls.json"


def forget_controls() -> None:
    """Remove it.

    Raises:
        LocalFault: it is there and cannot be removed.
    """
    path = kept_controls()
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise LocalFault(later("cannot remove {path}: {why}", path=path, why=error.strerror)) from error


@dataclass(frozen=True)
class Controls:
    """What vantages said before this run, and whether what they say now is kept.

    Attributes:
        remembered: read from the disk, where an earlier run was asked to keep it.
        path: where it goes; none where nothing was asked to be kept.
    """

    remembered: Remembered
    path: Path | None

    @classmethod
    def kept(cls, *, remember: bool) -> "Controls":
        """Those of this user."""
        path = kept_controls()
        return cls(Remembered.read(path), path if remember else None)

    def keep(self) -> None:
        """Write them down, where that was asked for.

        Raises:
            LocalFault: they cannot be written.
        """
        if self.path is not None:
            self.remembered.write(self.path)
