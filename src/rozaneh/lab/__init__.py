"""A censored internet on one machine.

:class:`Lab` is the door; :mod:`rozaneh.lab.topology` describes the world, :mod:`rozaneh.lab.scenario` the censors. The
names are imported at their first use, because the lab's own processes import their parts of this package alone.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rozaneh.lab.backend import Tier
    from rozaneh.lab.hosts import LabClient, LabHost
    from rozaneh.lab.lab import Lab, world_for

__all__ = ["Lab", "LabClient", "LabHost", "Tier", "world_for"]


def __getattr__(name: str) -> object:
    from importlib import import_module  # noqa: PLC0415 - see above

    if name in __all__:
        return getattr(import_module("rozaneh.lab.backend" if name == "Tier" else "rozaneh.lab.lab"), name)
    raise AttributeError(name)
