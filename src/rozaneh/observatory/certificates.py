"""What stands in the certificate that a server showed. The same few come over and over, so they are kept by bytes."""

from functools import lru_cache
from hashlib import sha256

import msgspec

from rozaneh.codecs.certificate import certificate
from rozaneh.diagnosis import signatures
from rozaneh.ooni.values import leaf_certificate

NO_CERTIFICATE = (None, None, None, None, False)
"""Digest, issuer, subject, end of validity, and whether the issuer is known for interception."""

_NOTHING = (b"null", b"[]", b"")
_LONGEST = 1 << 16


def certificate_of(raw: bytes) -> tuple[object, ...]:
    """The columns of the leaf certificate in OONI's ``peer_certificates``; what cannot be read is left empty."""
    if raw in _NOTHING or len(raw) > _LONGEST:
        return NO_CERTIFICATE
    return _parsed(raw)


@lru_cache(maxsize=2048)
def _parsed(raw: bytes) -> tuple[object, ...]:
    der = leaf_certificate(msgspec.Raw(raw))
    if not der:
        return NO_CERTIFICATE
    digest = sha256(der).hexdigest()
    leaf = certificate(der)
    if leaf is None:
        return digest, None, None, None, False
    issuer, subject = leaf.issuer[:500], leaf.subject[:500]
    return digest, issuer, subject, leaf.until.replace(tzinfo=None), signatures().known_issuer(issuer)
