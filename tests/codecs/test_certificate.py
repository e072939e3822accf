import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from rozaneh.codecs.certificate import certificate

_PEM = trustme.CA(organization_name="Box").cert_pem.bytes()
DER = x509.load_pem_x509_certificate(_PEM).public_bytes(Encoding.DER)
_VERSION = DER.index(bytes.fromhex("a003020102")) + 4
OF_NO_VERSION = DER[:_VERSION] + b"\x07" + DER[_VERSION + 1 :]
"""A certificate as whoever intercepts may make one: a library refuses it with an exception of its own."""


def test_it_says_who_signed_it() -> None:
    read = certificate(DER)
    assert read is not None
    assert "O=Box" in read.issuer
    assert read.subject == read.issuer
    assert read.until.tzinfo is not None


def test_one_of_no_version_is_none() -> None:
    assert certificate(OF_NO_VERSION) is None
    assert certificate(b"") is None
    assert certificate(bytes(1 << 17)) is None


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, len(DER) - 1), st.integers(0, 255)), min_size=1, max_size=3))
def test_whatever_is_changed_in_one_it_is_read_or_it_is_none(changes: list[tuple[int, int]]) -> None:
    changed = bytearray(DER)
    for at, value in changes:
        changed[at] = value
    certificate(bytes(changed))
