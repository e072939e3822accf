"""Signatures of measurements, so that whoever carries one cannot change it.

The key names nobody and lives for a week, so that a reader can tell that some measurements of one week are by one
hand, and nothing beyond that. It is kept in the state folder and goes with it.
"""

import base64
import binascii
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from rozaneh.core import LocalFault, RemoteFault
from rozaneh.core.ordinary import read_ordinary
from rozaneh.words import later

LIFE = timedelta(days=7)
KEY, SIGNATURE = "rozaneh_key", "rozaneh_signature"
"""The annotations in which the public key and the signature stand, in base64."""

_KEY_BYTES = 32


class _Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    made: datetime
    key: bytes


def canonical(measurement: dict[str, Any]) -> bytes:
    """The bytes that are signed: the measurement without the signature, its keys in order.

    The identifiers that a collector gives are left out too, because they are written after signing.
    """
    bare = {key: value for key, value in measurement.items() if key not in ("report_id", "measurement_uid")}
    notes = {k: v for k, v in dict(bare.get("annotations") or {}).items() if k not in (KEY, SIGNATURE)}
    return msgspec.json.encode({**bare, "annotations": notes}, order="deterministic")


def sign(measurement: dict[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """A copy of a measurement with its signature among the annotations."""
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    signature = base64.b64encode(key.sign(canonical(measurement))).decode()
    return {**measurement, "annotations": {**(measurement.get("annotations") or {}), KEY: public, SIGNATURE: signature}}


def verify(measurement: dict[str, Any]) -> None:
    """Check the signature of a measurement.

    Raises:
        RemoteFault: there is none, or it does not fit: somebody changed the measurement.
    """
    notes = measurement.get("annotations")
    if not isinstance(notes, dict) or not isinstance(notes.get(KEY), str) or not isinstance(notes.get(SIGNATURE), str):
        raise RemoteFault("the measurement is not signed")
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(notes[KEY], validate=True))
        public.verify(base64.b64decode(notes[SIGNATURE], validate=True), canonical(measurement))
    except (InvalidSignature, ValueError, binascii.Error) as error:
        raise RemoteFault("the measurement's signature does not fit it: somebody changed it") from error


def key_of(path: Path, now: datetime) -> Ed25519PrivateKey:
    """The key in a file; a new one where there is none, or it is older than a week, or the clock went back.

    Raises:
        LocalFault: it cannot be kept.
    """
    try:
        kept = msgspec.json.decode(read_ordinary(path, 1 << 16), type=_Kept)
        if len(kept.key) == _KEY_BYTES and timedelta(0) <= now - kept.made < LIFE:
            return Ed25519PrivateKey.from_private_bytes(kept.key)
    except (OSError, msgspec.MsgspecError):
        pass  # no key yet, or none that can be read: a new one does as well
    key = Ed25519PrivateKey.generate()
    try:
        path.touch(mode=0o600)
        path.write_bytes(
            msgspec.json.encode(_Kept(made=now.replace(minute=0, second=0, microsecond=0), key=key.private_bytes_raw()))
        )
    except OSError as error:
        raise LocalFault(later("cannot keep a key in {path}: {why}", path=path, why=error.strerror)) from error
    return key
