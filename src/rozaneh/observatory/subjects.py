"""Which service a name belongs to, by the catalogue."""

from collections.abc import Mapping
from functools import cache, lru_cache
from urllib.parse import urlsplit

from rozaneh.observatory.catalogue import catalogue

_OF_TEST: Mapping[str, str] = {
    "facebook_messenger": "messenger",
    "openvpn": "openvpn",
    "psiphon": "psiphon",
    "signal": "signal",
    "telegram": "telegram",
    "tor": "tor",
    "torsf": "tor",
    "vanilla_tor": "tor",
    "whatsapp": "whatsapp",
}
"""Tests that measure one service, whatever names they use for that."""

QUIC = "quic."
"""What stands before a service that is measured over QUIC."""


@cache
def _by_host() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for part in catalogue().values():
        for service in part:
            for endpoint in service.endpoint:
                found.setdefault(urlsplit(endpoint.url).hostname or "", service.id)
    return found


@lru_cache(maxsize=16384)
def service_of(test_name: str, host: str) -> str:
    """The id of the service that a measurement is about; empty where the catalogue does not know.

    A name counts as a service's when the catalogue has it, with or without a leading ``www``.
    """
    if test_name in _OF_TEST:
        return _OF_TEST[test_name]
    known = _by_host()
    bare = host.removeprefix("www.")
    return known.get(host) or known.get(bare) or known.get(f"www.{bare}") or ""


@lru_cache(maxsize=16384)
def is_domestic(host: str, country: str) -> bool:
    """Whether a name is under the country's own top-level domain, so that it most likely stands there."""
    top = {"GB": "uk"}.get(country, country.lower())
    return bool(country) and host.endswith(f".{top}")
