import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.core.addresses import is_bogon, is_public


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.10.34.34",  # Iran's page for blocked names
        "100.64.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "172.31.255.255",
        "192.0.2.1",
        "192.168.1.1",
        "198.19.255.255",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "d0::11",  # Iran's page over IPv6
        "fe80::1",
        "fe80::1%eth0",
        "2001:db8::1",
        "2001::1",
        "::ffff:10.10.34.34",
        "64:ff9b::10.10.34.34",
        "2002:0a0a:2222::1",
        "ff02::1",
    ],
)
def test_no_place_on_the_public_internet(address: str) -> None:
    assert is_bogon(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "93.184.216.34",
        "172.32.0.1",
        "100.128.0.1",
        "192.0.1.1",
        "223.255.255.255",
        "2001:4860:4860::8888",
        "2a01:5ec0:77::1",
        "64:ff9b::8.8.8.8",
        "2002:0808:0808::1",
        "::ffff:8.8.8.8",
    ],
)
def test_a_place_on_the_public_internet(address: str) -> None:
    assert not is_bogon(address)


@given(st.ip_addresses(v=4))
def test_what_python_calls_global_is_so_here_but_for_the_retired_relay_and_multicast(ip: ipaddress.IPv4Address) -> None:
    if ip.is_global and not ip.is_multicast and ip not in ipaddress.ip_network("192.88.99.0/24"):
        in_assignments = ip in ipaddress.ip_network("192.0.0.0/24")
        assert is_bogon(str(ip)) is in_assignments


def test_a_name_is_no_address() -> None:
    with pytest.raises(ValueError, match="example"):
        is_bogon("example.org")


_NOT_FOR_STRANGERS = [
    "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
    "64:ff9b::a9fe:a9fe",  # NAT64 of a cloud's metadata
    "64:ff9b:1::a00:1",  # local NAT64
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:c0a8:101::1",
    "::127.0.0.1",  # IPv4-compatible
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "192.88.99.1",  # retired 6to4 relay
    "224.0.0.1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "2a00:1450:4001:81b:0:5efe:10.0.0.1",  # ISATAP of a private address under a public prefix
    "2a00:1450:4001:81b:200:5efe:127.0.0.1",
    "100.64.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "fe80::1%eth0",
    "fec0::1",  # site-local
    "fc00::1",
    "100::1",  # discard
    "ff02::1",
]


@pytest.mark.parametrize("address", _NOT_FOR_STRANGERS)
def test_a_server_dials_none_of_these_for_a_stranger(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2a00:1450:4001:81b::200e", "2002:808:808::1", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_a_public_address_may_be_dialled_for_a_stranger(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=6))
def test_public_is_never_wider_than_what_is_no_bogon(address: ipaddress.IPv6Address) -> None:
    assert not (is_public(str(address)) and is_bogon(str(address)))


@given(
    st.ip_addresses(v=4, network="10.0.0.0/8"), st.sampled_from(["::ffff:{}", "64:ff9b::{}", "::{}", "64:ff9b:1::{}"])
)
def test_a_private_address_is_found_in_every_wrapping(inner: ipaddress.IPv4Address, form: str) -> None:
    assert not is_public(form.format(inner))
