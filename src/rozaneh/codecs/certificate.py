"""What a certificate (X.509, DER) says about itself. Whoever intercepts makes odd ones, on purpose or not."""

import warnings
from datetime import datetime

import msgspec
from cryptography import x509

__all__ = ["Certificate", "certificate"]

_LONGEST = 1 << 16
# Beside ValueError: a version that is none has an exception of its own, an attribute of the wrong type gives TypeError,
# a date beyond the calendar OverflowError.
_UNREADABLE = (ValueError, TypeError, OverflowError, x509.InvalidVersion)


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What it says.

    Attributes:
        issuer: who signed it, as RFC 4514 writes names.
        subject: for whom.
        until: the end of its validity.
    """

    issuer: str
    subject: str
    until: datetime


def certificate(der: bytes) -> Certificate | None:
    """Read a certificate; none where that cannot be. Nothing about it is verified."""
    if len(der) > _LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = x509.load_der_x509_certificate(der)
            issuer, subject = read.issuer.rfc4514_string(), read.subject.rfc4514_string()
            return Certificate(issuer=issuer, subject=subject, until=read.not_valid_after_utc)
    except _UNREADABLE:
        return None
