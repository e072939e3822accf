"""The header of SOCKS5's datagrams, and answers to questions that come in them."""

import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.codecs import dns_answer
from rozaneh.codecs.shadowsocks import METHODS, key_from_password, open_datagram, seal_datagram
from rozaneh.codecs.socks5_udp import Datagram, pack, unpack
from rozaneh.core import RemoteFault

HOSTS = st.sampled_from(["a.example", "1.2.3.4", "2001:db8::1", "xn--mgba3a4f16a.example"])


@pytest.mark.parametrize(
    ("message", "read"),
    [
        ("00000001010203040035ff", Datagram(host="1.2.3.4", port=53, data=b"\xff")),
        ("0000000309612e6578616d706c6501bb", Datagram(host="a.example", port=443, data=b"")),
        ("00000004" + "20010db8" + "00" * 11 + "01" + "0001" + "00", Datagram(host="2001:db8::1", port=1, data=b"\0")),
    ],
)
def test_the_three_kinds_of_places(message: str, read: Datagram) -> None:
    assert unpack(bytes.fromhex(message)) == read
    assert pack(read.host, read.port, read.data).hex() == message


@pytest.mark.parametrize(
    "message",
    ["", "000000", "00000101010203040035ff", "00010001010203040035", "0000000101020304", "00000001010203040000",
     "0000000509612e65", "00000003ff61", "0000000300" + "0035", "000000030120" + "0035"],
)  # fmt: skip
def test_what_is_no_datagram(message: str) -> None:
    with pytest.raises(RemoteFault):
        unpack(bytes.fromhex(message))


@given(HOSTS, st.integers(1, 65535), st.binary(max_size=200))
def test_what_is_written_reads_the_same(host: str, port: int, data: bytes) -> None:
    assert unpack(pack(host, port, data)) == Datagram(host=host, port=port, data=data)


@given(st.sampled_from(sorted(METHODS)), st.binary(max_size=100), st.integers(0, 100))
def test_a_sealed_datagram_opens_with_its_key_and_not_when_it_was_changed(name: str, data: bytes, at: int) -> None:
    method = METHODS[name]
    key = key_from_password("lab", method.key_size)
    sealed = seal_datagram(method, key, data)
    assert open_datagram(method, key, sealed) == data
    at %= len(sealed)
    for wrong in (sealed[:at], sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]):
        with pytest.raises(RemoteFault):
            open_datagram(method, key, wrong)


@pytest.mark.parametrize(
    ("kind", "version", "addresses", "code"),
    [
        ("A", 4, ["1.2.3.4", "5.6.7.8"], "NOERROR"),
        ("AAAA", 6, ["2001:db8::1"], "NOERROR"),
        ("HTTPS", 0, [], "NOERROR"),
        ("TXT", -1, [], "NOTIMP"),
        ("ANY", -1, [], "NOTIMP"),
    ],
)
def test_questions_are_answered_with_what_they_ask_for(
    kind: str, version: int, addresses: list[str], code: str
) -> None:
    question = dns.message.make_query("Blocked.Example.", kind, id=77, use_edns=True)
    asked = dns_answer.read_question(question.to_wire())
    assert (asked.host, asked.version) == ("blocked.example", version)
    read = dns.message.from_wire(dns_answer.answer(asked, ("1.2.3.4", "2001:db8::1", "5.6.7.8"), 60))
    assert question.is_response(read)
    assert sorted(record.address for found in read.answer for record in found) == addresses
    assert dns.rcode.to_text(read.rcode()) == code


def test_what_is_no_question_is_refused() -> None:
    good = dns.message.make_query("a.example.", "A").to_wire()
    response = dns.message.make_response(dns.message.from_wire(good)).to_wire()
    for wrong in (b"", good[:7], response, good[:4] + b"\0\0" + good[6:], bytes(5000)):
        with pytest.raises(RemoteFault):
            dns_answer.read_question(wrong)
