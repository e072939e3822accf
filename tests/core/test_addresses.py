import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.core.addresses import is_bogon


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
