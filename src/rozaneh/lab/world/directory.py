"""What the servers know of the world: who is called what, and what stands where."""

from collections.abc import Iterable

from rozaneh.core import LocalFault
from rozaneh.lab.topology import Option, Service, World

_HTTP_KINDS = frozenset({"web", "resolver", "helper", "collector", "https-proxy", "block-page", "tls"})


class Directory:
    """Names, addresses and services of a running world. Services may be added while it runs; the later one wins."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._addresses: dict[str, tuple[str, ...]] = dict(world.addresses_of)
        self._standing: dict[str, list[Service]] = {}
        for service in world.service:
            self._stand(service)

    def add(self, service: Service) -> None:
        """Put one more service on hosts that exist.

        Raises:
            LocalFault: an address belongs to no host.
        """
        for address in service.addresses:
            self.host_of(address)
        for name in service.names:
            self._addresses[name.lower()] = service.addresses
        self._stand(service)

    def addresses(self, name: str) -> tuple[str, ...] | None:
        """All addresses of a name, or none without such a name. ``*.`` stands for one further label or more."""
        wanted = name.lower().rstrip(".")
        found = self._addresses.get(wanted)
        while found is None and "." in wanted:
            wanted = wanted.partition(".")[2]
            found = self._addresses.get(f"*.{wanted}")
        return found

    def exists_below(self, name: str) -> bool:
        """Whether some name ends in this one, so that the name exists though it has no addresses (RFC 8020)."""
        ending = "." + name.lower().rstrip(".")
        return any(known.endswith(ending) for known in self._addresses)

    def services_at(self, address: str) -> Iterable[Service]:
        """What stands at an address, in the order of the file."""
        return self._standing.get(address, ())

    def site(self, address: str, name: str) -> Service | None:
        """The service that answers HTTP for a host name at an address; a stranger's name gets the first there."""
        speaking = [service for service in self.services_at(address) if service.kind in _HTTP_KINDS]
        wanted = name.lower().rstrip(".")
        for service in reversed(speaking):
            if any(_covers(known, wanted) for known in service.names):
                return service
        return speaking[0] if speaking else None

    def knows(self, address: str, name: str) -> bool:
        """Whether something at an address goes by that name."""
        wanted = name.lower().rstrip(".")
        return any(_covers(known, wanted) for service in self.services_at(address) for known in service.names)

    def names_at(self, address: str) -> tuple[str, ...]:
        """All names of an address, the first being what it calls itself to strangers."""
        return tuple(dict.fromkeys(name for service in self.services_at(address) for name in service.names))

    def host_of(self, address: str) -> str:
        """The host that has an address.

        Raises:
            LocalFault: none has.
        """
        host = self._world.host_of(address)
        if host is None:
            raise LocalFault(f"{address} belongs to no host of the lab")
        return host

    def has(self, address: str) -> bool:
        """Whether a host of the lab has an address."""
        return self._world.host_of(address) is not None

    @property
    def services(self) -> list[Service]:
        """All services that stand somewhere, each once."""
        return list({id(service): service for standing in self._standing.values() for service in standing}.values())

    def in_country(self, address: str) -> bool:
        """Whether an address belongs to a network of the censoring country."""
        network = self._world.network_of(address)
        return network is not None and self._world.network[network].country == "IR"

    def asn(self, address: str) -> int:
        """The number of the network that announces an address, 0 if none does."""
        network = self._world.network_of(address)
        return self._world.network[network].asn if network is not None else 0

    def _stand(self, service: Service) -> None:
        for address in service.addresses:
            self._standing.setdefault(address, []).append(service)


def option_text(service: Service, name: str, otherwise: str = "") -> str:
    """A service's setting that is text."""
    return str(_option(service, name, otherwise, str))


def option_flag(service: Service, name: str, *, otherwise: bool) -> bool:
    """A service's setting that is true or false."""
    return bool(_option(service, name, otherwise, bool))


def option_number(service: Service, name: str, otherwise: float = 0.0) -> float:
    """A service's setting that is a number."""
    found = _option(service, name, otherwise, (int, float))
    return float(found) if isinstance(found, int | float) else otherwise


def _option(service: Service, name: str, otherwise: Option, kind: type | tuple[type, ...]) -> Option:
    found = service.options.get(name, otherwise)
    if not isinstance(found, kind):
        raise LocalFault(f"service {service.kind!r} {service.names[:1]}: option {name!r} cannot be {found!r}")
    return found


def _covers(known: str, wanted: str) -> bool:
    lowered = known.lower()
    return wanted == lowered or (lowered.startswith("*.") and wanted.endswith(lowered[1:]))
