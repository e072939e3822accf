"""How a module of this package is started as a fresh Python process, quickly and with nothing inherited."""

import sys
from pathlib import Path

_START = (
    "import sys; paths, module = sys.argv[1:3]; del sys.argv[1:3]; sys.path[:0] = paths.split('\\n'); "
    "from importlib import import_module; sys.exit(import_module(module).main())"
)


def python_command(module: str, *, with_packages: bool) -> list[str]:
    """The beginning of a command that runs ``module.main()``; its arguments follow.

    Args:
        module: a module of this package.
        with_packages: whether it may import third-party packages. Without them it starts in a hundredth of a second,
            and cannot break when the program that it starts has other packages on its path.
    """
    paths = [str(Path(__file__).parents[3])]
    if with_packages:
        paths += [path for path in sys.path if path]
    return [sys.executable, "-I", "-S", "-c", _START, "\n".join(paths), module]
