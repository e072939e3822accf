"""What a measurement may hold, and what somebody hands over as one."""

from contextlib import suppress

import msgspec

from rozaneh.core import LocalFault, RemoteFault
from rozaneh.probe.lists import read_key
from rozaneh.probe.share.forms import Finder
from rozaneh.probe.share.private import Private
from rozaneh.probe.share.scrub import scrub, without_tokens
from rozaneh.probe.share.signing import verify

_PRIVATE = Private.of(["85.133.207.14", "2a01:5ec0:77::5"], names=["nasrin-thinkpad"])


def fuzz_forms(data: bytes) -> None:
    """Any bytes are looked through, and what is planted in them is found."""
    finder = Finder(_PRIVATE)
    finder.holds(data)
    assert finder.hidden(data.decode("latin-1") + " 85.133.207.14 ")
    without_tokens(data.decode("latin-1"))


def fuzz_measurement(data: bytes) -> None:
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = msgspec.json.decode(data)
        if isinstance(value, dict):
            with suppress(LocalFault):
                scrub(value, _PRIVATE)
            with suppress(RemoteFault):
                verify(value)


def fuzz_public_key(data: bytes) -> None:
    for text in (data.decode("latin-1"), "-----BEGIN PUBLIC KEY-----\n" + data.decode("latin-1")):
        with suppress(LocalFault):
            assert len(read_key(text)) == 32
