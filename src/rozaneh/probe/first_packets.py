"""The first packet of VPN handshakes, to see whether a network lets their kind through.

A WireGuard peer answers only those it knows. Ours is right in form (Donenfeld, "WireGuard", section 5.4.2, with a valid
``mac1``), and from nobody: an answer shows that the path is open, silence alone shows nothing. An OpenVPN server
without a static key answers everybody (openvpn-rfc, section "OpenVPN packet format").
"""

import base64
import binascii
import hashlib
import os
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from rozaneh.core import LocalFault
from rozaneh.words import later

_LABEL_MAC1 = b"mac1----"
_KEY_LENGTH = 32
_ENCRYPTED_STATIC = 32 + 16
_ENCRYPTED_TIMESTAMP = 12 + 16
_NO_COOKIE = bytes(16)
_HARD_RESET_CLIENT_V2 = 7


def wireguard_initiation(public_key: str) -> bytes:
    """A handshake initiation of 148 bytes.

    Args:
        public_key: the peer's, in base64; it keys the ``mac1`` that peers check first.

    Raises:
        LocalFault: the key is none.
    """
    try:
        key = base64.b64decode(public_key, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_LENGTH:
        raise LocalFault(
            later("not a WireGuard public key: {public_key!r}; expected 32 bytes in base64", public_key=public_key[:50])
        )
    ephemeral = X25519PrivateKey.generate().public_key().public_bytes_raw()
    body = b"\x01\0\0\0" + os.urandom(4) + ephemeral + os.urandom(_ENCRYPTED_STATIC + _ENCRYPTED_TIMESTAMP)
    mac1 = hashlib.blake2s(body, key=hashlib.blake2s(_LABEL_MAC1 + key).digest(), digest_size=16).digest()
    return body + mac1 + _NO_COOKIE


def openvpn_reset() -> bytes:
    """A client's hard reset over UDP: opcode and key id, session, no acknowledgements, packet 0."""
    return struct.pack("!B8sBI", _HARD_RESET_CLIENT_V2 << 3, os.urandom(8), 0, 0)
