"""The environment of programs that run in the lab."""

import os
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from rozaneh.net.clock import LAB_CLOCK, LAB_CLOCK_FILE

LAB = "ROZANEH_LAB"
"""The name of the lab's host on which a program runs; set only inside a lab."""
LAB_DIRECTORY = "ROZANEH_LAB_DIR"
"""A folder of the lab, which goes with it."""

_TRUST = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO")
_OUTSIDE = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")


def program_environment(
    own: Mapping[str, str], *, ca_file: Path, host: str, now: datetime, shown_in: Path, zone: str
) -> dict[str, str]:
    """This process's environment, made fit for a program in the lab.

    Args:
        own: the environment to begin with. Proxies that it names do not exist inside and are left out.
        ca_file: whom to believe about certificates.
        host: where the program runs.
        now: what the lab's clock shows.
        shown_in: the file that shows it while it is turned.
        zone: the country's time zone.
    """
    kept = {name: value for name, value in own.items() if name.lower() not in _OUTSIDE and name != "SSL_CERT_DIR"}
    return {
        **kept,
        # Last, so that the rozaneh that made the lab is found inside even when its folder is on nobody's path.
        "PATH": os.pathsep.join((kept.get("PATH", os.defpath), str(Path(sys.executable).parent))),
        **dict.fromkeys(_TRUST, str(ca_file)),
        LAB: host,
        LAB_CLOCK: now.isoformat(),
        LAB_CLOCK_FILE: str(shown_in),
        LAB_DIRECTORY: str(ca_file.parent),
        "TZ": zone,
    }
