"""``make prove``: what takes too long for every run. Each part says what it did; any failure is the exit status.

- every fuzz target for ``--seconds`` (by atheris where it is installed, else by hypothesis with fresh examples);
- ``--controls`` checks in networks without a censor: not one may blame the state;
- the matrix of scenarios and ways ``--matrices`` times in a row: no cell may differ, cells with configured loss apart;
- the same cells through the whole gateway ``--reaches`` times: each page comes that some way leads to;
- ``--connections`` connections through the gateway: at the end it holds no more memory and no more files than at first;
- ``--soak`` seconds of mixed load on a gateway in the lab while the censor changes: nothing that it holds grows;
- a Tor network of its own on loopback, and our way by a bridge with obfs4 through it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console

from benchmarks._controls import controls, lines
from benchmarks._soak import soak
from benchmarks._traffic import GET, connected, resident_megabytes, running_gateway, running_origin
from benchmarks.tor_network import tor_network
from benchmarks.wireguard_keys import wireguard_keys
from tests.fuzz.runner import LONGEST, Target, targets

_CONSOLE = Console(highlight=False)
_TOP = Path(__file__).parent.parent
_MEGABYTES_MORE = 3.0
"""An allocator gives some back late; a hundred bytes a connection would be eight over eighty thousand."""
_FILES_MORE = 4
_IDENTITY = ("scenario", "vary", "network", "at", "spec", "target")


def fuzz(name: str, target: Target, seconds: float) -> str:
    """What went wrong, or nothing."""
    if find_spec("atheris"):
        return _by_atheris(name, seconds)
    examples = 0
    ends = time.monotonic() + seconds

    @settings(
        max_examples=2000,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.binary(max_size=LONGEST))
    def any_bytes(data: bytes) -> None:
        nonlocal examples
        examples += 1
        target(data)

    while time.monotonic() < ends:
        try:
            any_bytes()
        except Exception as error:  # noqa: BLE001 - whatever a target lets through is the finding
            return f"{type(error).__name__}: {error} {' '.join(getattr(error, '__notes__', ()))}"
    _CONSOLE.print(f"  {name}: {examples} inputs, nothing found")
    return ""


def fuzz_all(seconds: float) -> list[str]:
    """What went wrong, one line for each target."""
    by = "atheris" if find_spec("atheris") else "hypothesis"
    found = targets()
    wrong = []
    _CONSOLE.print(f"fuzzing {len(found)} parsers by {by}, {seconds:.0f} s each")
    for name, target in found.items():
        with _CONSOLE.status(f"{name} ..."):
            if failed := fuzz(name, target, seconds):
                wrong.append(f"fuzzing {name}: {failed}")
    return wrong


def _by_atheris(name: str, seconds: float) -> str:
    # libFuzzer ends the process that it runs in: each target gets its own.
    code = (
        "import sys, atheris\n"
        "with atheris.instrument_imports(include=['rozaneh']):\n"
        "    from tests.fuzz.runner import targets\n"
        f"atheris.Setup([sys.argv[0], '-max_total_time={seconds:.0f}', '-max_len={LONGEST}'], targets()[{name!r}])\n"
        "atheris.Fuzz()\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, env={"PYTHONPATH": str(_TOP)}, capture_output=True, check=False
        )
    tail = ran.stderr.decode(errors="replace").strip().splitlines()[-12:]
    if ran.returncode:
        return "\n".join(tail)
    _CONSOLE.print(f"  {name}: {tail[-1] if tail else 'done'}")
    return ""


def matrices(times: int) -> list[str]:
    """Cells that were not the same in every run, one line each."""
    seen: dict[tuple[str, ...], set[str]] = {}
    lossy: set[tuple[str, ...]] = set()
    for turn in range(1, times + 1):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, _CONSOLE.status(f"matrix {turn} of {times} ..."):
            path = Path(folder, "cells.json")
            ran = subprocess.run(
                [sys.executable, "-m", "rozaneh.cli", "lab", "matrix", "--json", path],
                capture_output=True,
                text=True,
                check=False,
            )
            if not path.exists():
                return [f"the matrix did not run: {ran.stderr.strip()}"]
            cells = json.loads(path.read_text())
        bad = 0
        for cell in cells:
            key = tuple(str(cell[part]) for part in _IDENTITY)
            seen.setdefault(key, set()).add(f"{cell['observed']} ({'ok' if cell['ok'] else 'NOT OK'})")
            bad += not cell["ok"]
            if cell["lossy"]:
                lossy.add(key)
        took = time.monotonic() - began
        _CONSOLE.print(f"  matrix {turn}: {len(cells)} cells in {took:.1f} s, {bad} not ok")
    return [
        f"{' / '.join(key)}: {', '.join(sorted(outcomes))}"
        for key, outcomes in sorted(seen.items())
        if key not in lossy and (len(outcomes) > 1 or any("NOT OK" in each for each in outcomes))
    ]


def reaches(times: int) -> list[str]:
    """Pages that some way leads to and that did not come through the gateway, one line each."""
    wrong = []
    for turn in range(1, times + 1):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, _CONSOLE.status(f"through the gateway {turn} of {times} ..."):
            path = Path(folder, "cells.json")
            ran = subprocess.run(
                [sys.executable, "-m", "rozaneh.cli", "lab", "matrix", "--through-gateway", "--json", path],
                capture_output=True,
                text=True,
                check=False,
            )
            if not path.exists():
                return [f"the matrix through the gateway did not run: {ran.stderr.strip()}"]
            cells = [cell for cell in json.loads(path.read_text()) if cell["expected"]]
        came = [cell for cell in cells if cell["ok"]]
        at_once = sum(cell["requests"] == 1 for cell in came)
        took = time.monotonic() - began
        _CONSOLE.print(f"  through the gateway {turn}: {len(came)} of {len(cells)}, {at_once} at once, in {took:.0f} s")
        wrong += [
            f"through the gateway: {' / '.join(str(cell[part]) for part in _IDENTITY)}: {cell['reason']}"
            for cell in cells
            if not cell["ok"]
        ]
    return wrong


def in_rows(times: int, through_gateway: int) -> list[str]:
    """What so many matrices, and so many through the gateway, have shown to be wrong, one line each."""
    wrong: list[str] = []
    if times:
        _CONSOLE.print(f"{times} matrices in a row")
        wrong += matrices(times)
    if through_gateway:
        _CONSOLE.print(f"{through_gateway} matrices through the whole gateway")
        wrong += reaches(through_gateway)
    return wrong


def leaks(count: int) -> list[str]:
    """What a gateway holds after so many connections and did not after the first fifth, one line each."""
    with running_origin() as origin, running_gateway() as (pid, port):
        held = []
        for part in (count // 5, count - count // 5):
            for _ in range(part):
                with connected(origin, port) as stream:
                    stream.sendall(GET)
                    while stream.recv(65536):
                        pass
            time.sleep(2.0)  # the last ones are still being closed
            held.append((resident_megabytes(pid), len(list(Path(f"/proc/{pid}/fd").iterdir()))))
            _CONSOLE.print(f"  after {part} more: {held[-1][0]:.1f} MB, {held[-1][1]} files")
    (megabytes, files), (later, more) = held
    wrong = []
    if later > megabytes + _MEGABYTES_MORE:
        wrong.append(f"memory grew from {megabytes:.1f} to {later:.1f} MB over {count} connections")
    if more > files + _FILES_MORE:
        wrong.append(f"open files grew from {files} to {more} over {count} connections")
    return wrong


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prove", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=30, help="for each fuzz target (default 30; 0 for none)")
    parser.add_argument("--matrices", type=int, default=20, help="how many in a row (default 20)")
    parser.add_argument("--reaches", type=int, default=5, help="the same through the gateway (default 5; 0 for none)")
    parser.add_argument("--no-tor", action="store_true", help="leave the private Tor network out")
    parser.add_argument("--no-wireguard", action="store_true", help="leave the tunnel of four minutes out")
    parser.add_argument(
        "--connections", type=int, default=100_000, help="through the gateway (default 100000; 0: none)"
    )
    parser.add_argument("--soak", type=float, default=600, help="seconds of mixed load (default 600; 0 for none)")
    parser.add_argument("--controls", type=int, default=1000, help="checks without a censor (default 1000; 0 for none)")
    parser.add_argument("--first", type=int, default=0, help="number of the first of them, to make them in pieces")
    return parser


def _with_programs(options: argparse.Namespace) -> list[str]:
    """What is wrong with ways that programs of others go, where it takes them minutes to show."""
    wrong = []
    if not options.no_tor:
        _CONSOLE.print("a private Tor network, and a bridge by obfs4 into it")
        if failed := tor_network():
            wrong.append(f"Tor: {failed}")
    if not options.no_wireguard:
        _CONSOLE.print("a WireGuard tunnel for longer than its keys last")
        if failed := wireguard_keys():
            wrong.append(f"WireGuard: {failed}")
    return wrong


def main() -> int:
    options = _parser().parse_args()
    wrong: list[str] = []
    if options.seconds:
        wrong += fuzz_all(options.seconds)
    if options.controls:
        _CONSOLE.print(f"{options.controls} checks where there is no censor")
        blamed, said = controls(options.controls, options.first)
        for line in lines(said):
            _CONSOLE.print(line, markup=False)
        wrong += [f"the state was blamed: {line}" for line in blamed]
    wrong += in_rows(options.matrices, options.reaches)
    if options.connections:
        _CONSOLE.print(f"{options.connections} connections through the gateway")
        wrong += leaks(options.connections)
    if options.soak:
        _CONSOLE.print(f"{options.soak:.0f} s of mixed load while the censor changes")
        wrong += [
            f"soak: {line}" for line in soak(options.soak, lambda line: _CONSOLE.print(f"  {line}", markup=False))
        ]
    wrong += _with_programs(options)
    for line in wrong:
        _CONSOLE.print(f"FAIL  {line}", markup=False)
    _CONSOLE.print("proved" if not wrong else f"{len(wrong)} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
