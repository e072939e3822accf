"""The process that looks for QR codes in one picture; :mod:`rozaneh.gateway.pictures` starts it.

It is run as a file, apart from the gateway: decoders of pictures are native code that is fed what strangers made, so
they share neither memory nor sockets with whoever holds the user's servers. Once everything is loaded and the picture
has come, the process can open no file and no socket any more, may write none, and has bounds for memory and for time.
The picture is on its standard input; one line of JSON is its answer.

Sources: getrlimit(2); Pillow and zxing-cpp say in their documentation what they take.
"""

import io
import json
import resource
import sys
import warnings

import zxingcpp

# WebP, and MPO, which is what many phones call a JPEG, would be loaded when one comes: by then no file can be opened.
from PIL import Image, MpoImagePlugin, UnidentifiedImageError, WebPImagePlugin

__all__ = ["KINDS", "MOST_PIXELS", "Unread", "texts"]

KINDS = ("JPEG", "PNG", "WEBP")
"""The formats that are read; whatever else a picture claims to be is not tried."""

MOST_PIXELS = 1 << 25
"""Of a picture, as its head says: 33 million, twice what phones usually take."""

_LOADED = (MpoImagePlugin, WebPImagePlugin)
_MOST_CODES = 64
_MEMORY = 640 << 20
_CPU_SECONDS = 10


class Unread(Exception):
    """Nothing was read; the message is a word of :class:`rozaneh.gateway.pictures.Trouble`."""


def texts(picture: bytes) -> list[str]:
    """What the QR codes in a picture say, each once.

    Args:
        picture: a JPEG, PNG or WebP file. How it says that it should be turned does not matter to a code.

    Raises:
        Unread: it is none of these, is broken, or has more than :data:`MOST_PIXELS`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a library remarks about a file is nothing to its user
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(picture), formats=KINDS) as opened:
                width, height = opened.size
                if width * height > MOST_PIXELS:
                    raise Unread("too_large")
                opened.draft("L", opened.size)  # a JPEG's colours need not even be decoded
                grey = opened.convert("L")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError, MemoryError) as error:
        raise Unread("too_large") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError) as error:
        # These are what Pillow's readers raise for broken files; which of them depends on where it is broken.
        raise Unread("no_picture") from error
    pixels = memoryview(grey.tobytes()).cast("B", (grey.height, grey.width))
    formats = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    found = zxingcpp.read_barcodes(pixels, formats=formats, text_mode=zxingcpp.TextMode.Plain)
    return list(dict.fromkeys(each.text for each in found))[:_MOST_CODES]


def _bound() -> None:
    """Leave the process what it takes to think. What is open stays open: the answer's pipe."""
    for what, most in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(what, (most, most))


def main() -> None:
    """Read one picture."""
    picture = sys.stdin.buffer.read()
    Image.preinit()
    _bound()
    try:
        answer: dict[str, object] = {"texts": texts(picture)}
    except Unread as error:
        answer = {"trouble": str(error)}
    except MemoryError:
        answer = {"trouble": "too_large"}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
