"""Titles, hosts and bogons as OONI's own code reads them."""

import pytest

from rozaneh.ooni.flags import bogon
from rozaneh.ooni.observations import host_of, title_of


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (b"<TITLE>A</Title>", "A"),
        (b"<title></title><title>second</title>", "second"),
        (b"<title>" + b"x" * 513 + b"</title>", ""),
        (b"<title>" + "خ".encode() * 512 + b"</title>", "خ" * 512),
        (b"<title lang=en>A</title>", ""),
        (b"<title>A<b></title>", ""),
        (b"<title>never closed", ""),
        (b"", ""),
    ],
)
def test_titles_as_ooni_reads_them(body: bytes, title: str) -> None:
    assert title_of(body) == title


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://a.example/x", "a.example"),
        ("https://user:pass@A.example:8443/", "A.example"),
        ("https://[2001:db8::1]:443/", "2001:db8::1"),
        ("http://[broken/", ""),
        ("", ""),
    ],
)
def test_hosts(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.10.34.35", True),
        ("192.88.99.1", False),
        ("8.8.8.8", False),
        ("d0::11", False),
        ("::1", True),
        ("2002:a00:1::1", True),
        ("2002:808:808::1", False),
        ("::ffff:10.0.0.1", True),
        ("2001:0:7f00:1::", True),
        ("junk", True),
    ],
)
def test_bogons_as_ooni_counts_them(address: str, *, expected: bool) -> None:
    assert bogon(address) is expected
