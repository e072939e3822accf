"""Segments that are sent past the kernel: what stands in them, and whether the kernel at the other end takes them."""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.codecs.tcp_segment import checksum, segment

ENDS = {
    4: (("192.0.2.1", 40000), ("198.51.100.7", 443)),
    6: (("2001:db8::1", 40000), ("2001:db8::2", 443)),
}


def test_the_checksum_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == ~0xDDF2 & 0xFFFF


@pytest.mark.parametrize("version", [4, 6])
@given(st.binary(max_size=600), st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 32) - 1))
def test_a_segment_verifies_and_a_broken_one_does_not(version: int, payload: bytes, seq: int, ack: int) -> None:
    ends = ENDS[version]
    packed = b"".join(ipaddress.ip_address(address).packed for address, _ in ends)
    for broken in (False, True):
        made = segment(ends, seq, ack, payload, broken=broken)
        pseudo = packed + struct.pack("!II", len(made), 6)
        assert (checksum(pseudo + made) == 0) is not broken
        assert struct.unpack("!HHII", made[:12]) == (40000, 443, seq, ack)
        assert made[12] >> 4 == 5
        assert made[20:] == payload
