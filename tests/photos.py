"""QR codes as somebody photographs them: askew, on something grainy, with a sensor's noise, squeezed by a codec."""

import io
from typing import Any

import segno
from PIL import Image

__all__ = ["photo"]

_SIDE = 700


def photo(*texts: str, kind: str = "JPEG", mode: str = "RGB", turn: float = 17, **settings: Any) -> bytes:
    """The file of a picture that shows a code for each text, beside each other.

    Args:
        texts: what they say.
        kind: the format, by Pillow's name.
        mode: of the pixels.
        turn: degrees.
        settings: for who writes the file.
    """
    seen = Image.effect_noise((_SIDE * max(1, len(texts)) + 60, _SIDE + 60), 50)
    for number, text in enumerate(texts):
        drawn = io.BytesIO()
        segno.make(text, error="l", boost_error=True, micro=False).save(drawn, kind="png", scale=5, border=4)
        code = Image.open(drawn).convert("L").rotate(turn, Image.Resampling.BICUBIC, expand=True, fillcolor=190)
        seen.paste(code.resize((_SIDE - 40, _SIDE - 40)), (number * _SIDE + 50, 40))
    written = io.BytesIO()
    Image.blend(seen, Image.effect_noise(seen.size, 60), 0.25).convert(mode).save(written, kind, **settings)
    return written.getvalue()
