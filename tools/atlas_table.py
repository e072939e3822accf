"""Write the tables of docs/lab.md from the scenario files: ``python -m tools.atlas_table``; a test compares."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from rozaneh.lab.describe import atlas_table, other_table
from rozaneh.lab.matrix.ways import FURTHER_WAYS, STANDARD_WAYS
from rozaneh.lab.scenario import load_scenario, scenario_files

PAGE = Path(__file__).parent.parent / "docs" / "lab.md"

ATLAS: Mapping[str, str] = {
    "I1": "DNS injection, Iran 2013-2026",
    "I2": "DNS injection of a true-looking address, 2025",
    "I3": "DNS over TCP blocked, before June 2025",
    "I4": "block page in place of HTTP",
    "I5": "reset after the server name, 2018-2026",
    "I6": "the certificate's name is read, 2018",
    "I7": "a forged segment, then a null route, June 2022",
    "I8": "SSH dies after a while, June 2022",
    "I9": "DNS over TLS by address and port, 2020",
    "I10": "protocol allowlist, February 2020",
    "I11": "hello without a server name, 2020-2024",
    "I12": "TCP segments are joined, 2023",
    "I13": "a parser that waits for the whole record, 2024",
    "I14": "hello over several records is dropped, May 2024",
    "I15": "TLS fingerprint, 2022",
    "I16": "QUIC, 2021-2026",
    "I17": "UDP of no known class, 2022-2025",
    "I18": "small UDP packets, May 2026",
    "I19": "WireGuard, 2022-2026",
    "I20": "IPv6 off, 2025-2026",
    "I21": "the ServerHello is dropped on its way back, June 2025",
    "I22": "pings set off a block of the whole line, June 2025",
    "I23": "upload below 1 Mbit/s, December 2022",
    "I25": "grey list of servers, 2023-2024",
    "I26": "permitted names on a CDN, October 2022",
    "I27": "a front's name is dropped, January 2023",
    "I28": "mobile curfew, autumn 2022",
    "I29": "null route while routes are announced, 2022 and 2026",
    "I30": "few sources get out, May 2026",
    "I31": "permitted names at an address, then silence, January 2026",
    "I33": "DNS in working hours, June 2026",
    "I35": "sanctions: the service itself refuses",
    "C1": "China: resets and a penalty on the 3-tuple",
    "C2": "China: encrypted SNI dropped",
    "C3": "China: fully encrypted traffic",
    "C4": "China: the name inside QUIC",
    "C8": "China: three injectors of DNS answers",
    "R3": "Russia: throttling by name",
    "R4": "Russia: Encrypted ClientHello",
    "R5": "Russia: WireGuard by sizes",
    "T1": "Turkmenistan: resets from both sides",
    "K1": "Kazakhstan: interception",
    "X1": "TLS inside TLS by sizes and directions",
}
"""The rows of the atlas, by their permanent ids."""


def page(text: str) -> str:
    """The page with its generated parts brought up to date."""
    scenarios = [load_scenario(file) for file in scenario_files()]
    rows = [
        f"| `{name}`{named} | `{spec.replace('|', chr(92) + '|')}` |"
        for ways, named in ((STANDARD_WAYS, ""), (FURTHER_WAYS, ", where a scenario names it"))
        for name, spec in ways.items()
    ]
    ways = "\n".join(["| name | stack |", "|---|---|", *rows])
    for name, made in (("ways", ways), ("atlas", atlas_table(scenarios, ATLAS)), ("others", other_table(scenarios))):
        text = _replaced(text, name, made)
    return text


def _replaced(text: str, name: str, made: str) -> str:
    begin, end = f"<!-- {name}: written by python -m tools.atlas_table -->\n", f"<!-- end of {name} -->"
    return re.sub(
        f"({re.escape(begin)}).*?({end})", lambda found: f"{found[1]}{made}\n{found[2]}", text, flags=re.DOTALL
    )


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is up to date\n")
