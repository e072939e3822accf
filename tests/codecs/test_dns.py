import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.codecs.dns import KINDS, Kind, Lookup, parse, question
from rozaneh.core import Failure, RemoteFault

HOST = "example.org"

# RFC 1035 by hand: identifier 0x1234, recursion desired, one question, example.org A IN.
QUESTION = bytes.fromhex("123401000001000000000000 076578616d706c65036f726700 0001 0001")
ANSWER = bytes.fromhex(
    "123481800001000100000000 076578616d706c65036f726700 0001 0001c00c 0001 0001 0000003c 0004 5db8d822"
)


def reply(message: bytes, *addresses: str, rcode: int = 0, truncated: bool = False) -> bytes:
    made = dns.message.make_response(dns.message.from_wire(message))
    made.set_rcode(dns.rcode.Rcode(rcode))
    if truncated:
        made.flags |= dns.flags.TC
    if addresses:
        kind = "AAAA" if ":" in addresses[0] else "A"
        made.answer.append(dns.rrset.from_text(made.question[0].name, 60, "IN", kind, *addresses))
    return made.to_wire()


def test_writes_a_question() -> None:
    assert question(HOST, "A", 0x1234) == QUESTION


def test_reads_an_answer() -> None:
    found = parse(ANSWER, HOST, "A", 0x1234)
    assert found.addresses == ("93.184.216.34",)
    assert (found.rcode, found.ttl, found.truncated, found.failure) == ("NOERROR", 60, False, None)


def test_a_padded_question_has_a_round_length() -> None:
    lengths = {len(question(host, "A", 0, padded=True)) for host in ("a.example", "a-much-longer-name.example")}
    assert lengths == {128}


@pytest.mark.parametrize(
    ("rcode", "failure"),
    [
        (0, Failure.DNS_NO_ANSWER),
        (1, Failure.DNS_SERVER_MISBEHAVING),
        (2, Failure.DNS_SERVFAIL_ERROR),
        (3, Failure.DNS_NXDOMAIN_ERROR),
        (5, Failure.DNS_REFUSED_ERROR),
    ],
)
def test_an_answer_without_an_address_is_a_failure(rcode: int, failure: Failure) -> None:
    assert parse(reply(QUESTION, rcode=rcode), HOST, "A", 0x1234).failure is failure


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"", "not a DNS message"),
        (QUESTION, "identifier, or a question"),
        (b"\x99" + ANSWER[1:], "identifier"),
        (reply(question("other.example", "A", 0x1234), "93.184.216.34"), "another"),
        (reply(question(HOST, "AAAA", 0x1234), "2001:4860::1"), "another"),
        (ANSWER[:20], "not a DNS message"),
        (bytes(70000), "at most 65535"),
    ],
)
def test_what_is_not_the_answer_is_refused(message: bytes, why: str) -> None:
    with pytest.raises(RemoteFault, match=why):
        parse(message, HOST, "A", 0x1234)


def test_takes_a_bounded_number_of_addresses() -> None:
    many = reply(QUESTION, *(f"8.8.{n}.8" for n in range(200)))
    assert len(parse(many, HOST, "A", 0x1234).addresses) == 32


def test_the_case_of_the_name_does_not_matter() -> None:
    shouted = reply(question("EXAMPLE.org", "A", 1), "8.8.8.8")
    assert parse(shouted, HOST, "A", 1).addresses == ("8.8.8.8",)


def test_a_name_that_dns_cannot_carry() -> None:
    with pytest.raises(RemoteFault, match="not a name"):
        question("a" * 64 + ".org", "A", 1)


def answers(lookup: Lookup, *addresses: str) -> list[bytes]:
    kinds: list[Kind] = ["AAAA" if ":" in address else "A" for address in addresses]
    return [reply(lookup.questions[kind], address) for kind, address in zip(kinds, addresses, strict=True)]


def test_a_lookup_is_complete_with_both_families() -> None:
    lookup = Lookup(HOST, (1, 2))
    assert list(lookup.unanswered) == list(KINDS)
    six, four = answers(lookup, "2a00:1450::1", "93.184.216.34")
    lookup.receive(six)
    assert not lookup.complete
    assert lookup.addresses == ["2a00:1450::1"]
    lookup.receive(four)
    assert lookup.complete
    assert lookup.addresses == ["93.184.216.34", "2a00:1450::1"]
    assert (lookup.failure, lookup.ttl, lookup.rcode) == (None, 60, "NOERROR")


def test_the_first_answer_wins_and_later_ones_are_kept_apart() -> None:
    lookup = Lookup(HOST, (1, 2))
    for message in answers(lookup, "10.10.34.36", "93.184.216.34", "93.184.216.34", "10.10.34.36"):
        lookup.receive(message)
    assert lookup.addresses == ["10.10.34.36"]
    assert lookup.late == ["93.184.216.34"]


def test_a_truncated_answer_leaves_the_question_open() -> None:
    lookup = Lookup(HOST, (1, 2))
    assert lookup.receive(reply(lookup.questions["A"], truncated=True)).truncated
    assert "A" in lookup.unanswered


def test_the_failure_of_a_lookup_is_that_of_its_first_question() -> None:
    lookup = Lookup(HOST, (0, 0))
    assert lookup.failure == "generic_timeout_error"
    lookup.receive(reply(lookup.questions["AAAA"]))
    assert lookup.failure == "dns_no_answer"
    lookup.receive(reply(lookup.questions["A"], rcode=3))
    assert (lookup.failure, lookup.rcode) == ("dns_nxdomain_error", "NXDOMAIN")
    with pytest.raises(RemoteFault, match="not the answer"):
        lookup.receive(QUESTION)


@given(st.ip_addresses(v=4), st.integers(0, 65535))
def test_any_address_comes_back(ip: object, identifier: int) -> None:
    message = reply(question(HOST, "A", identifier), str(ip))
    assert parse(message, HOST, "A", identifier).addresses == (str(ip),)


@given(st.integers(0, len(ANSWER) - 1), st.integers(0, 255))
def test_one_wrong_byte_is_an_answer_or_a_fault(at: int, value: int) -> None:
    wrong = ANSWER[:at] + bytes([value]) + ANSWER[at + 1 :]
    try:
        found = parse(wrong, HOST, "A", 0x1234)
    except RemoteFault:
        return
    assert len(found.addresses) <= 1
