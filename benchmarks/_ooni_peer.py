"""OONI's own code on a folder of measurements, run by an interpreter that has it (``docs/performance.md`` says how).

``transform``: decoding and transformation into observations (``oonidata``, ``oonipipeline`` of github.com/ooni/data).
``score``: the scoring of its backend with all its fingerprints (``fastpath`` of github.com/ooni/backend), of the first
few. Neither writes anything or looks up the network of an address, which favours both. Nothing of them is copied, and
nothing here is part of the product. Prints what was done as JSON.
"""

import gzip
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

_SCORED = 16
"""Measurements that are scored: of large ones some seconds of work."""


class _NoNetwork:
    """Stands for OONI's tables of addresses, which would have to be fetched."""

    def __init__(self) -> None:
        info = import_module("oonipipeline.netinfo")
        self._network = info.ASInfo(asn=64500, as_org_name="", as_cc="ZZ", as_name="")
        self._answer = info.IPInfo(self._network, cc="ZZ")

    def lookup_asn(self, _day: object, _asn: int) -> Any:
        return self._network

    def lookup_ip(self, _day: object, _ip: str) -> Any:
        return self._answer


def transform() -> Callable[[bytes], None]:
    loads = import_module("orjson").loads
    load = import_module("oonidata.dataclient").load_measurement
    observe = import_module("oonipipeline.transforms.observations").measurement_to_observations
    network = _NoNetwork()

    def work(line: bytes) -> None:
        observe(load(msmt=loads(line)), netinfodb=network, bucket_date="2022-09-21")

    return work


def score() -> Callable[[bytes], None]:
    core: Any = import_module("fastpath.core")
    data = Path(core.__file__).parent / "tests" / "data"
    known = [json.loads((data / f"fingerprints_{kind}.json").read_text()) for kind in ("dns", "http")]
    core.fingerprints = core.prepare_fingerprints(*known)
    loads = import_module("ujson").loads

    def work(line: bytes) -> None:
        core.score_measurement(loads(line))

    return work


def lines(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.iterdir()):
        with gzip.open(path) as file:
            yield from file


def main(what: str, folder: Path) -> dict[str, float | str]:
    logging.disable(logging.CRITICAL)
    try:
        work = {"transform": transform, "score": score}[what]()
    except ImportError as error:
        return {"absent": str(error)}
    wanted = _SCORED if what == "score" else sys.maxsize
    count = 0
    cpu = time.process_time()
    for line in islice(lines(folder), wanted):
        try:
            work(line)
        except ValueError:  # one in a hundred is cut off
            continue
        count += 1
    return {"count": count, "cpu": time.process_time() - cpu}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
