import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.codecs.socks5 import Asked, Associates, Client, Opened, Refused, Rejected, Send, Server, reply, reply_for
from rozaneh.core import Failure, LocalFault, RemoteFault

NAME_REQUEST = b"\x05\x01\x00\x03\x0bexample.org\x01\xbb"


def test_a_client_asks_by_name() -> None:
    client = Client("example.org", 443)
    assert client.hello == b"\x05\x01\x00"
    assert client.receive(b"\x05\x00") == [Send(NAME_REQUEST)]
    assert client.receive(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00hello") == [Opened()]
    assert client.leftover == b"hello"
    assert client.receive(b" again") == []
    assert client.leftover == b"hello again"


@pytest.mark.parametrize(
    ("host", "place"), [("1.2.3.4", b"\x01\x01\x02\x03\x04"), ("2001:db8::1", b"\x04 \x01\r\xb8" + bytes(11) + b"\x01")]
)
def test_a_client_asks_by_address(host: str, place: bytes) -> None:
    assert Client(host, 80).receive(b"\x05\x00") == [Send(b"\x05\x01\x00" + place + b"\x00P")]


def test_a_client_logs_in() -> None:
    client = Client("example.org", 443, "lab", "pass")
    assert client.hello == b"\x05\x02\x00\x02"
    assert client.receive(b"\x05\x02") == [Send(b"\x01\x03lab\x04pass")]
    assert client.receive(b"\x01\x00") == [Send(NAME_REQUEST)]


@pytest.mark.parametrize(
    ("answers", "failure", "reason"),
    [
        (b"\x05\xff", Failure.UNKNOWN_FAILURE, "another user name"),
        (b"\x05\x02\x01\x01", Failure.UNKNOWN_FAILURE, "refuses this user name"),
        (b"\x05\x00\x05\x05\x00\x01" + bytes(6), Failure.CONNECTION_REFUSED, "code 5"),
        (b"\x05\x00\x05\x03\x00\x04" + bytes(18), Failure.NETWORK_UNREACHABLE, "code 3"),
        (b"\x05\x00\x05\x04\x00\x03\x02ab" + bytes(2), Failure.HOST_UNREACHABLE, "code 4"),
        (b"\x05\x00\x05\x63\x00\x01" + bytes(6), Failure.UNKNOWN_FAILURE, "code 99"),
    ],
)
def test_a_client_hears_a_refusal(answers: bytes, failure: Failure, reason: str) -> None:
    end = Client("example.org", 443, "u", "p").receive(answers)[-1]
    assert isinstance(end, Refused)
    assert end.failure is failure
    assert reason in end.reason


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (b"HTTP/1.1", "not SOCKS5"),
        (b"\x05\x02", "not offered"),
        (b"\x05\x00\x04", "not SOCKS5"),
        (b"\x05\x00\x05\x00\x00\x09\x00", "address type 9"),
    ],
)
def test_what_is_no_proxy_is_refused(answers: bytes, why: str) -> None:
    with pytest.raises(RemoteFault, match=why):
        Client("example.org", 443).receive(answers)


@pytest.mark.parametrize(("host", "user"), [("x" * 256, ""), ("", ""), ("a.example", "u" * 256)])
def test_what_the_protocol_cannot_carry_is_a_fault_of_ours(host: str, user: str) -> None:
    with pytest.raises(LocalFault, match="1 to 255 bytes"):
        Client(host, 443, user, "p")


def test_a_server_hears_a_request_and_keeps_what_follows() -> None:
    server = Server()
    assert server.receive(b"\x05\x02\x00\x02") == [Send(b"\x05\x00")]
    assert server.receive(NAME_REQUEST + b"flight") == [Asked(host="example.org", port=443)]
    assert server.leftover == b"flight"
    assert server.receive(b"!") == []


@pytest.mark.parametrize(
    ("data", "told", "reason"),
    [
        (b"\x04\x01\x00P\x00\x00\x00\x01x\x00", b"\x00\x5b" + bytes(6), "SOCKS4"),
        (b"\x05\x01\x02", b"\x05\xff", "no way to log in"),
        (b"\x05\x01\x00\x05\x02\x00\x01" + bytes(6), reply(7), "command 2"),
        (b"\x05\x01\x00\x05\x01\x00\x03\x01/\x00P", reply(1), "not a host name"),
    ],
)
def test_a_server_refuses_in_the_clients_own_words(data: bytes, told: bytes, reason: str) -> None:
    *_, sent, end = Server().receive(data)
    assert sent == Send(told)
    assert isinstance(end, Rejected)
    assert reason in end.reason


@pytest.mark.parametrize(
    ("login", "sent"), [(b"\x01\x03lab\x03lab", b"\x01\x00"), (b"\x01\x03lab\x03bal", b"\x01\x01")]
)
def test_a_server_can_insist_on_a_login(login: bytes, sent: bytes) -> None:
    server = Server(("lab", "lab"))
    assert server.receive(b"\x05\x02\x00\x02") == [Send(b"\x05\x02")]
    assert server.receive(login)[0] == Send(sent)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n", "not SOCKS5"),
        (b"\x05\x01\x00\x04\x01", "not SOCKS5"),
        (b"\x05\x01\x00\x05\x01\x00\x02\x00", "address type 2"),
    ],
)
def test_what_is_no_client_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(RemoteFault, match=why):
        Server().receive(data)
    with pytest.raises(RemoteFault, match="version 7"):
        Server(("u", "p")).receive(b"\x05\x01\x02\x07")


def test_a_dial_that_failed_is_told() -> None:
    assert reply_for(None)[1] == 0
    assert reply_for(Failure.CONNECTION_REFUSED)[1] == 5
    assert reply_for(Failure.GENERIC_TIMEOUT_ERROR)[1] == 4
    assert reply_for(Failure.UNKNOWN_FAILURE)[1] == 1


HOSTS = st.one_of(
    st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,6}){1,3}", fullmatch=True),
    st.ip_addresses().map(str).filter(lambda text: "%" not in text),
)


@given(HOSTS, st.integers(0, 65535), st.sampled_from(["", "user"]), st.booleans())
def test_both_ends_understand_each_other_byte_by_byte(host: str, port: int, user: str, bytewise: bool) -> None:
    client, server = Client(host, port, user, "secret"), Server((user, "secret") if user else None)
    asked: list[Asked] = []
    opened = False
    up, down = client.hello, b""
    while up or down:
        size = 1 if bytewise else 65536
        for event in server.receive(up[:size]):
            if isinstance(event, Send):
                down += event.data
            elif isinstance(event, Asked):
                asked.append(event)
                down += reply_for(None)
        up = up[size:]
        for answer in client.receive(down[:size]):
            if isinstance(answer, Send):
                up += answer.data
            else:
                opened = answer == Opened()
        down = down[size:]
    assert opened
    assert [(each.port, each.host) for each in asked] == [(port, _same(host))]


def _same(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


@given(st.binary(max_size=600), st.booleans())
def test_any_bytes_whole_or_one_by_one_give_the_same(data: bytes, login: bool) -> None:
    def heard(pieces: list[bytes]) -> list[object]:
        server = Server(("u", "p") if login else None)
        found: list[object] = []
        try:
            for piece in pieces:
                found.extend(server.receive(piece))
        except RemoteFault:
            found.append("fault")
        return found

    assert heard([data]) == heard([data[at : at + 1] for at in range(len(data))])


def test_datagrams_are_asked_for_and_told_where_to_send_them() -> None:
    client, server = Client("0.0.0.0", 0, datagrams=True), Server()
    (chosen,) = server.receive(client.hello)
    assert isinstance(chosen, Send)
    (asked,) = client.receive(chosen.data)
    assert isinstance(asked, Send)
    assert server.receive(asked.data) == [Associates(port=0)]
    assert client.receive(reply(0, "127.0.0.1", 4711)) == [Opened(host="127.0.0.1", port=4711)]
