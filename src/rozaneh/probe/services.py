"""The services catalogue: what must work for each service to be usable. Data in ``catalogue/*.toml``, read once."""

import datetime as dt
import difflib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from rozaneh.core import LocalFault, Target, TargetError
from rozaneh.core.ordinary import open_ordinary
from rozaneh.core.target import clean_host, is_ip
from rozaneh.diagnosis.evidence import Kind
from rozaneh.words import later

_Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
_Url = Annotated[str, msgspec.Meta(min_length=8, max_length=300)]
_Text = Annotated[str, msgspec.Meta(min_length=3, max_length=300)]
_MOST_ENDPOINTS = 16
_LARGEST_FILE = 1 << 20

Category = Literal[
    "messaging", "social", "search", "mail", "apps", "developers", "knowledge", "news", "resolvers", "domestic",
    "circumvention", "url",
]  # fmt: skip
RISKY: frozenset[str] = frozenset(("circumvention",))
"""Categories that are measured only after a consent of their own: to visit them may draw attention."""

Shape = Literal["https", "http", "tls", "tcp", "doh", "dot", "quic", "wireguard", "openvpn"]

_KINDS: dict[str, tuple[Kind, int]] = {
    "https": ("https", 443), "http": ("http", 80), "tls": ("tls", 443), "tcp": ("tcp", 0), "doh": ("https", 443),
    "dot": ("tls", 853), "quic": ("quic", 443), "wireguard": ("udp", 51820), "openvpn": ("udp", 1194),
}  # fmt: skip


class LocalName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What people call it."""

    en: _Name
    fa: _Name

    def in_language(self, language: str) -> str:
        """The name in a language."""
        return self.fa if language == "fa" else self.en


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One place that a service consists of.

    Attributes:
        id: its name within the service.
        url: what is there: ``https``, ``http``, ``tls``, ``tcp``, ``doh``, ``dot``, ``quic``, ``wireguard`` or
            ``openvpn``, then ``://host[:port][/path]``.
        addresses: well-known addresses of the host, so that its name need not be looked up.
        issuer: text in the issuer of its certificates, where no authority of the system vouches for them.
        self_signed: its certificates are self-signed by design.
        neutral: a harmless name that the same servers know, instead of the general one.
        public_key: a WireGuard peer's public key, in base64.
    """

    id: _Id
    url: _Url
    addresses: tuple[str, ...] = ()
    issuer: str = ""
    self_signed: bool = False
    neutral: str = ""
    public_key: str = ""

    @property
    def shape(self) -> str:
        """The scheme of the URL: what is spoken there."""
        return self.url.partition("://")[0]

    @property
    def kind(self) -> Kind:
        """What the diagnosis needs to know of the shape."""
        return _KINDS[self.shape][0]

    @property
    def target(self) -> Target:
        """What to dial.

        Raises:
            TargetError: the URL names nothing that can be dialled.
        """
        try:
            parts = urlsplit(self.url)
        except ValueError as error:
            raise TargetError(later("not a target: {url!r} ({error})", url=self.url[:60], error=error)) from None
        if parts.scheme not in _KINDS:
            raise TargetError(
                later(
                    "not a target: scheme {scheme!r}; expected one of {kinds}",
                    scheme=parts.scheme,
                    kinds=", ".join(_KINDS),
                )
            )
        kind, default = _KINDS[parts.scheme]
        if kind in ("https", "http", "quic"):
            speaks = "http" if kind == "http" else "https"
            return Target.parse(f"{speaks}://{self.url.partition('://')[2]}").at(*self.addresses)
        place = parts.netloc if parts.port or not default else f"{parts.netloc}:{default}"
        return Target.parse(f"tcp://{place}").at(*self.addresses)


class Needs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must work: all of ``all``, and at least one of ``any`` where it names some."""

    all: tuple[_Id, ...] = ()
    any: tuple[_Id, ...] = ()


class Service(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that people use.

    Attributes:
        id: its name on the command line.
        name: what people call it.
        category: which group it belongs to; risky ones need a consent of their own.
        reason: why it is measured.
        reviewer: who looked over its targets, besides who added them.
        date: when.
        source: where its targets are documented.
        needs: what must work for it to be usable.
        endpoint: its places, the most telling first.
        aliases: further names on the command line.
        domestic: whether it stands inside the country.
    """

    id: _Id
    name: LocalName
    category: Category
    reason: _Text
    reviewer: _Text
    date: dt.date
    source: Annotated[str, msgspec.Meta(pattern=r"^https://")]
    needs: Needs
    endpoint: Annotated[tuple[Endpoint, ...], msgspec.Meta(min_length=1, max_length=_MOST_ENDPOINTS)]
    aliases: tuple[_Id, ...] = ()
    domestic: bool = False

    @property
    def risky(self) -> bool:
        """Whether a consent of its own is needed."""
        return self.category in RISKY


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    service: tuple[Service, ...]


def parse_services(data: bytes, place: str) -> tuple[Service, ...]:
    """Read a catalogue file.

    Raises:
        LocalFault: it is wrong; one line names the file, the key and what was expected.
    """
    try:
        read = msgspec.toml.decode(data, type=_File).service
    except (msgspec.MsgspecError, ValueError) as error:
        raise LocalFault(f"{place}: {error}") from error
    for service in read:
        _check(service, place)
    return read


def _check(service: Service, place: str) -> None:
    known = {endpoint.id for endpoint in service.endpoint}
    where = f"{place}: service {service.id!r}"
    if len(known) != len(service.endpoint):
        raise LocalFault(later("{where}: two endpoints have one id", where=where))
    if not service.needs.all and not service.needs.any:
        raise LocalFault(
            later("{where}: `needs` names nothing; expected `all` or `any` with endpoint ids", where=where)
        )
    for name in (*service.needs.all, *service.needs.any):
        if name not in known:
            raise LocalFault(
                later("{where}: `needs` names {name!r}, which is no endpoint of it", where=where, name=name)
            )
    for endpoint in service.endpoint:
        try:
            endpoint.target.at()
        except TargetError as error:
            raise LocalFault(
                later("{where}, endpoint {id!r}: {error}", where=where, id=endpoint.id, error=error)
            ) from None
        if bad := next((text for text in endpoint.addresses if not is_ip(text)), None):
            raise LocalFault(
                later("{where}, endpoint {id!r}: not an IP address: {bad!r}", where=where, id=endpoint.id, bad=bad[:60])
            )


@cache
def catalogue() -> tuple[Service, ...]:
    """Every service that comes with Rozaneh, in the order of file names and within a file as written.

    Raises:
        LocalFault: a file is wrong, or an id or alias stands twice.
    """
    folder = files("rozaneh.probe") / "catalogue"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return together(service for name in names for service in parse_services((folder / name).read_bytes(), name))


def read_services(path: Path) -> tuple[Service, ...]:
    """Read somebody's own catalogue file.

    Raises:
        LocalFault: it cannot be read or is wrong, in one line.
    """
    try:
        with open_ordinary(path) as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise LocalFault(later("{path}: cannot be read ({why})", path=path, why=error.strerror)) from None
    if len(data) > _LARGEST_FILE:
        raise LocalFault(later("{path}: larger than {largest_file} bytes", path=path, largest_file=_LARGEST_FILE))
    return parse_services(data, path.name)


def together(*groups: Iterable[Service]) -> tuple[Service, ...]:
    """Services of several catalogues.

    Raises:
        LocalFault: an id or alias stands twice.
    """
    found = tuple(service for group in groups for service in group)
    seen: set[str] = set()
    for service in found:
        for name in (service.id, *service.aliases):
            if name in seen:
                raise LocalFault(later("catalogue: {name!r} stands twice", name=name))
            seen.add(name)
    return found


def choose(asked: Iterable[str], known: Sequence[Service] | None = None) -> tuple[Service, ...]:
    """The services that were asked for, by id, alias, name in either language, or URL; each once.

    Raises:
        LocalFault: one is unknown; the line names those that are spelt most alike.
    """
    known = catalogue() if known is None else known
    by_name = {_folded(name): service for service in known for name in _names(service)}
    chosen = [by_name.get(_folded(text)) or _from_url(text, by_name) for text in asked]
    return tuple({service.id: service for service in chosen}.values())


def _names(service: Service) -> tuple[str, ...]:
    return (service.id, *service.aliases, service.name.en, service.name.fa)


_FOLD = str.maketrans({"\u200c": "", "\u0643": "\u06a9", "\u064a": "\u06cc", " ": "", "-": "", "_": ""})


def _folded(text: str) -> str:
    """A name without what people type differently: case, spaces, hyphens, ZWNJ, Arabic yeh and kaf."""
    return text.strip().casefold().translate(_FOLD)


def _from_url(text: str, by_name: dict[str, Service]) -> Service:
    looks_like_one = "://" in text or "." in text
    if not looks_like_one:
        alike = difflib.get_close_matches(_folded(text), by_name, n=3, cutoff=0.5)
        names = ", ".join(dict.fromkeys(by_name[name].id for name in alike))
        if names:
            raise LocalFault(later("no service is called {name!r}; did you mean {names}?", name=text[:60], names=names))
        raise LocalFault(later("no service is called {name!r}; see 'rozaneh check --list'", name=text[:60]))
    return service_of_url(text)


def service_of_url(text: str) -> Service:
    """A URL or host name as a service of its own.

    Raises:
        TargetError: it is none.
    """
    url = text.strip() if "://" in text else f"https://{text.strip()}"
    endpoint = Endpoint(id="url", url=url)
    target = endpoint.target
    shown = url if endpoint.kind not in ("https", "http") else str(target)
    return Service(
        id=shown,
        name=LocalName(shown, shown),
        category="url",
        reason="asked for by the user",
        reviewer="the user",
        date=dt.date(2026, 11, 23),
        source="https://example.org/",
        needs=Needs(all=("url",)),
        endpoint=(endpoint,),
        domestic=clean_host(target.host).endswith(".ir"),
    )
