"""A signed bundle of test lists: whoever hands it on can neither change it nor bring back an older one.

The bundle is JSON with two texts in base64: ``signed``, the bytes of a JSON object with ``version``, ``made`` (a date)
and ``lists``, and ``signature``, Ed25519 over exactly these bytes. Nothing of the content is looked at before the
signature fits one of the pinned keys. A version that is not newer than the one in hand is refused. How a bundle travels
is no matter of this module: it takes bytes. Signing is that of the ``cryptography`` library.
"""

import binascii
import datetime as dt
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta

from rozaneh.core import RemoteFault
from rozaneh.ooni.testlists import LARGEST, TestList, read_list

LARGEST_BUNDLE = 32 << 20
"""Bytes of a bundle."""

_CONTEXT = b"rozaneh test lists\0"
"""Signed with the content, so that a signature of something else made with the same key does not fit."""

_Name = Annotated[str, Meta(pattern=r"^(global|[a-z]{2})$")]


class BadUpdate(RemoteFault):
    """A bundle that is not taken; the text says why."""


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    signed: str
    signature: str


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Annotated[int, Meta(ge=1, le=1 << 53)]
    lists: Annotated[dict[_Name, Annotated[str, Meta(max_length=LARGEST)]], Meta(min_length=1, max_length=300)]
    made: dt.date | None = None


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle whose signature fits.

    Attributes:
        version: grows with each bundle.
        lists: by country, in lower case, or ``global``.
        made: when it was signed, as its signer says; none where he does not.
    """

    version: int
    lists: dict[str, TestList]
    made: dt.date | None = None


def open_update(data: bytes, pinned: Iterable[bytes], *, newest: int) -> Update:
    """Check and read a bundle.

    Args:
        data: the bundle.
        pinned: the public keys that may sign, 32 bytes each.
        newest: the version in hand; 0 for none.

    Raises:
        BadUpdate: it is no bundle, no pinned key signed it, or it is not newer.
    """
    if len(data) > LARGEST_BUNDLE:
        raise BadUpdate(f"not an update of test lists: longer than {LARGEST_BUNDLE} bytes")
    try:
        envelope = msgspec.json.decode(data, type=_Envelope)
        signed = b64decode(envelope.signed, validate=True)
        signature = b64decode(envelope.signature, validate=True)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, binascii.Error, ValueError) as error:
        raise BadUpdate(f"not an update of test lists: {str(error)[:200]}") from None
    if not any(_fits(key, signature, signed) for key in pinned):
        raise BadUpdate("an update of test lists that nobody signed whose key is known here")
    try:
        content = msgspec.json.decode(signed, type=_Content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise BadUpdate(f"not an update of test lists: {str(error)[:200]}") from None
    if content.version <= newest:
        raise BadUpdate(f"version {content.version} of the test lists is not newer than version {newest}")
    return Update(
        version=content.version,
        lists={name: read_list(text.encode("utf-8", "replace")) for name, text in content.lists.items()},
        made=content.made,
    )


def sign_update(
    version: int, lists: Mapping[str, str], key: Ed25519PrivateKey, *, made: dt.date | None = None
) -> bytes:
    """Make a bundle.

    Args:
        version: higher than that of every bundle before.
        lists: the text of each list by country, in lower case, or ``global``.
        key: of whoever answers for the lists.
        made: the date of signing, which readers are told.

    Raises:
        BadUpdate: no reader would take it: a wrong name, a version below 1, or a text that is too long.
    """
    try:
        content = msgspec.convert({"version": version, "lists": dict(lists), "made": made}, _Content)
    except msgspec.ValidationError as error:
        raise BadUpdate(f"not an update of test lists: {error}") from error
    signed = msgspec.json.encode(content)
    signature = key.sign(_CONTEXT + signed)
    return msgspec.json.encode(_Envelope(signed=b64encode(signed).decode(), signature=b64encode(signature).decode()))


def _fits(key: bytes, signature: bytes, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, _CONTEXT + signed)
    except (InvalidSignature, ValueError):
        return False
    return True
