"""SOCKS version 5 (RFC 1928) with user name and password (RFC 1929), both ends, as bytes in and events out.

Theory of operation. Both ends are machines with the same shape: ``receive`` takes whatever bytes came, keeps those that
make no whole message yet, and returns events in order. ``Send`` carries bytes for the other end; the last event says
how the negotiation ended; ``leftover`` holds the bytes after it, which belong to the target. CONNECT is spoken and, for
datagrams, UDP ASSOCIATE; their own header is in :mod:`rozaneh.codecs.socks5_udp`. BIND is not.
SOCKS4 and SOCKS4a are recognised and refused in their own words, so that their users see why.
"""

import hmac
import ipaddress
from collections.abc import Callable

import msgspec

from rozaneh.core import Failure, LocalFault, RemoteFault, TargetError
from rozaneh.core.target import clean_host
from rozaneh.words import later

VERSION = 5
SUCCEEDED = 0
GENERAL_FAILURE = 1
NOT_ALLOWED = 2

_SOCKS4 = 4
_SOCKS4_REFUSED = b"\x00\x5b" + bytes(6)
_PASSWORD_VERSION = 1
_NO_AUTHENTICATION = 0
_PASSWORD = 2
_NOT_ACCEPTABLE = 255
_CONNECT = 1
_UDP_ASSOCIATE = 3
_COMMAND_NOT_SUPPORTED = 7
_IPV4, _NAME, _IPV6 = 1, 3, 4
_LONGEST_FIELD = 255

_FAILURE_OF_REPLY = {
    3: Failure.NETWORK_UNREACHABLE,
    4: Failure.HOST_UNREACHABLE,
    5: Failure.CONNECTION_REFUSED,
    6: Failure.GENERIC_TIMEOUT_ERROR,
}
_REPLY_OF_FAILURE = {
    Failure.NETWORK_UNREACHABLE: 3,
    Failure.NETWORK_DOWN: 3,
    Failure.HOST_UNREACHABLE: 4,
    Failure.GENERIC_TIMEOUT_ERROR: 4,
    Failure.CONNECTION_REFUSED: 5,
}


class Send(msgspec.Struct, frozen=True):
    """Bytes for the other end."""

    data: bytes


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The proxy has connected; what follows belongs to the target.

    Attributes:
        host: where datagrams are to be sent; empty for a connection.
        port: the port of that.
    """

    host: str = ""
    port: int = 0


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The proxy, or the far side through it, refuses.

    Attributes:
        failure: what its reply code says happened.
        reason: one line for a person.
    """

    failure: Failure
    reason: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A client asks for a connection; answer with :func:`reply`.

    Attributes:
        host: a host name in A-label form or an IP address.
        port: 1 to 65535.
    """

    host: str
    port: int


class Associates(msgspec.Struct, frozen=True, kw_only=True):
    """A client wants to send datagrams; answer with :func:`reply`.

    Attributes:
        port: from which it will send; 0 where it does not know yet.
    """

    port: int


class Rejected(msgspec.Struct, frozen=True):
    """A client asked for something that is not spoken here; it has been told, and the connection ends.

    Attributes:
        reason: one line for a person.
    """

    reason: str


_ClientStep = Callable[[], Send | Opened | Refused | None]
_Heard = list[Send | Asked | Associates | Rejected]
_ServerStep = Callable[[], _Heard]


class Client:
    """Asks a proxy for a connection.

    Args:
        host: host name or IP address of the target; a name is resolved by the proxy.
        port: port of the target.
        username: empty for no authentication.
        password: belongs to the user name.
        datagrams: whether to ask for a relay of datagrams instead; host and port are then those they come from.

    Raises:
        LocalFault: a name, user name or password is longer than the protocol allows.
    """

    def __init__(
        self, host: str, port: int, username: str = "", password: str = "", *, datagrams: bool = False
    ) -> None:
        self.leftover = b""
        command = _UDP_ASSOCIATE if datagrams else _CONNECT
        self._datagrams = datagrams
        self._request = bytes([VERSION, command, 0]) + _packed(host, port)
        self._login = b""
        if username:
            fields = b"".join(_field(text) for text in (username, password))
            self._login = bytes([_PASSWORD_VERSION]) + fields
        self._expect: _ClientStep = self._method

    @property
    def hello(self) -> bytes:
        """The bytes that open the negotiation."""
        offered = [_NO_AUTHENTICATION, _PASSWORD] if self._login else [_NO_AUTHENTICATION]
        return bytes([VERSION, len(offered), *offered])

    def receive(self, data: bytes) -> list[Send | Opened | Refused]:
        """Take bytes from the proxy.

        Raises:
            RemoteFault: they are no SOCKS5.
        """
        self.leftover += data
        events: list[Send | Opened | Refused] = []
        while (event := self._expect()) is not None:
            events.append(event)
            if not isinstance(event, Send):
                self._expect = _nothing_more
        return events

    def _take(self, size: int) -> bytes:
        taken, self.leftover = self.leftover[:size], self.leftover[size:]
        return taken

    def _method(self) -> Send | Refused | None:
        _check_version(self.leftover)
        if len(self.leftover) < 2:
            return None
        method = self._take(2)[1]
        if method == _NO_AUTHENTICATION:
            self._expect = self._reply
            return Send(self._request)
        if method == _PASSWORD and self._login:
            self._expect = self._logged_in
            return Send(self._login)
        if method == _NOT_ACCEPTABLE:
            return Refused(failure=Failure.UNKNOWN_FAILURE, reason="the proxy wants another user name and password")
        raise RemoteFault(f"the SOCKS proxy chose method {method}, which was not offered")

    def _logged_in(self) -> Send | Refused | None:
        if len(self.leftover) < 2:
            return None
        _, status = self._take(2)
        if status != 0:
            return Refused(failure=Failure.UNKNOWN_FAILURE, reason="the proxy refuses this user name and password")
        self._expect = self._reply
        return Send(self._request)

    def _reply(self) -> Opened | Refused | None:
        size = _message_size(self.leftover)
        if size is None or len(self.leftover) < size:
            return None
        message = self._take(size)
        code = message[1]
        if code == SUCCEEDED:
            return _bound(message[3:]) if self._datagrams else Opened()
        failure = _FAILURE_OF_REPLY.get(code, Failure.UNKNOWN_FAILURE)
        return Refused(failure=failure, reason=f"the proxy answers with code {code}")


class Server:
    """Hears what a client asks for.

    Args:
        credentials: the user name and password to insist on; none to ask for nothing.
    """

    def __init__(self, credentials: tuple[str, str] | None = None) -> None:
        self.leftover = b""
        self._credentials = credentials
        self._expect: _ServerStep = self._greeting

    def receive(self, data: bytes) -> _Heard:
        """Take bytes from the client.

        Raises:
            RemoteFault: they are no SOCKS.
        """
        self.leftover += data
        events: _Heard = []
        while found := self._expect():
            events.extend(found)
            if not isinstance(found[-1], Send):
                self._expect = _no_events
        return events

    def _take(self, size: int) -> bytes:
        taken, self.leftover = self.leftover[:size], self.leftover[size:]
        return taken

    def _greeting(self) -> _Heard:
        if self.leftover[:1] == bytes([_SOCKS4]):
            return [
                Send(_SOCKS4_REFUSED),
                Rejected("a client speaks SOCKS4; set it to SOCKS5 with names resolved by the proxy (socks5h://)"),
            ]
        _check_version(self.leftover)
        if len(self.leftover) < 2 or len(self.leftover) < 2 + self.leftover[1]:
            return []
        offered = self._take(2 + self.leftover[1])[2:]
        wanted = _PASSWORD if self._credentials else _NO_AUTHENTICATION
        if wanted not in offered:
            return [
                Send(bytes([VERSION, _NOT_ACCEPTABLE])),
                Rejected("a client offers no way to log in that is spoken here"),
            ]
        self._expect = self._login if self._credentials else self._request
        return [Send(bytes([VERSION, wanted]))]

    def _login(self) -> _Heard:
        if self.leftover[:1] not in (b"", bytes([_PASSWORD_VERSION])):
            raise RemoteFault(f"a login of version {self.leftover[0]}; RFC 1929 has version 1")
        name_end = 2 + (self.leftover[1] if len(self.leftover) > 1 else 0)
        if len(self.leftover) <= name_end:
            return []
        size = name_end + 1 + self.leftover[name_end]
        if len(self.leftover) < size:
            return []
        login = self._take(size)
        given = (login[2:name_end], login[name_end + 1 :])
        wanted = self._credentials or ("", "")
        same = [hmac.compare_digest(one, other.encode()) for one, other in zip(given, wanted, strict=True)]
        if not all(same):
            return [Send(bytes([_PASSWORD_VERSION, 1])), Rejected("a client gave a wrong user name or password")]
        self._expect = self._request
        return [Send(bytes([_PASSWORD_VERSION, 0]))]

    def _request(self) -> _Heard:
        size = _message_size(self.leftover)
        if size is None or len(self.leftover) < size:
            return []
        message = self._take(size)
        if message[1] == _UDP_ASSOCIATE:
            return [Associates(port=int.from_bytes(message[-2:], "big"))]
        if message[1] != _CONNECT:
            return [
                Send(reply(_COMMAND_NOT_SUPPORTED)),
                Rejected(f"a client asked for SOCKS command {message[1]}, neither CONNECT nor UDP ASSOCIATE"),
            ]
        try:
            host, port = _unpacked(message[3:])
        except TargetError as error:
            return [Send(reply(GENERAL_FAILURE)), Rejected(str(error))]
        return [Asked(host=host, port=port)]


def reply(code: int, host: str = "0.0.0.0", port: int = 0) -> bytes:
    """The bytes that end a server's side of the negotiation; 0 is success.

    Args:
        code: how it ended.
        host: where datagrams are to be sent; of a connection the bound address is not disclosed.
        port: the port of that.
    """
    return bytes([VERSION, code, 0]) + _packed(host, port)


def reply_for(failure: Failure | None) -> bytes:
    """The bytes that tell a client how its dial ended."""
    return reply(SUCCEEDED if failure is None else _REPLY_OF_FAILURE.get(failure, GENERAL_FAILURE))


def _nothing_more() -> None:
    return None


def _no_events() -> _Heard:
    return []


def _check_version(data: bytes) -> None:
    if data and data[0] != VERSION:
        raise RemoteFault(f"not SOCKS5: it begins with {data[:4].hex()}")


def _field(text: str) -> bytes:
    raw = text.encode()
    if not 0 < len(raw) <= _LONGEST_FIELD:
        raise LocalFault(
            later("SOCKS carries user names and passwords of 1 to 255 bytes, this one has {raw}", raw=len(raw))
        )
    return bytes([len(raw)]) + raw


def _packed(host: str, port: int) -> bytes:
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii", "replace")
        if not 0 < len(name) <= _LONGEST_FIELD:
            raise LocalFault(
                later("SOCKS carries names of 1 to 255 bytes, this one has {name}", name=len(name))
            ) from None
        place = bytes([_NAME, len(name)]) + name
    else:
        place = bytes([_IPV4 if ip.version == 4 else _IPV6]) + ip.packed
    return place + port.to_bytes(2, "big")


def _message_size(data: bytes) -> int | None:
    """Bytes of a request or reply whose beginning this is; none while that cannot be told."""
    _check_version(data)
    if len(data) < 5:
        return None
    kind, first = data[3], data[4]
    lengths = {_IPV4: 4, _IPV6: 16, _NAME: 1 + first}
    if kind not in lengths:
        raise RemoteFault(f"SOCKS knows no address type {kind}")
    return 4 + lengths[kind] + 2


def _bound(place: bytes) -> Opened:
    """What a proxy says that it has bound; a name is of no use there."""
    if place[0] == _NAME:
        return Opened()
    return Opened(host=str(ipaddress.ip_address(place[1:-2])), port=int.from_bytes(place[-2:], "big"))


def _unpacked(place: bytes) -> tuple[str, int]:
    kind, body, port = place[0], place[1:-2], int.from_bytes(place[-2:], "big")
    if kind == _NAME:
        return clean_host(body[1:].decode("latin-1")), port
    return str(ipaddress.ip_address(body)), port
