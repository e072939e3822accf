"""QR codes out of pictures: what a phone takes is read, what is made to harm is not, and the reader has bounds."""

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rozaneh.gateway import pictures
from rozaneh.gateway.pictures import LARGEST, PictureError, Trouble, read_codes
from tests.photos import photo

pytestmark = pytest.mark.anyio
LINK = "ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpsYWI@45.76.10.11:8388#روزنه"
CONF = "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\nAddress = 10.0.0.2/32\n"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}  # the other loop reads for `rozaneh ways add --qr`


@pytest.mark.parametrize(
    ("file", "texts"),
    [
        pytest.param(lambda: photo(LINK, quality=55), {LINK}, id="a phone's"),
        pytest.param(lambda: photo(LINK, kind="MPO", turn=200), {LINK}, id="a phone's, of two pictures, upside down"),
        pytest.param(
            lambda: photo(LINK + "x" * 700, kind="WEBP", turn=3, quality=70), {LINK + "x" * 700}, id="a large code"
        ),
        pytest.param(
            lambda: photo(LINK, CONF, LINK, kind="PNG", mode="RGBA", turn=0), {LINK, CONF}, id="several codes"
        ),
    ],
)
async def test_what_a_phone_takes_is_read(file: Callable[[], bytes], texts: set[str]) -> None:
    found = await read_codes(file())
    assert set(found) == texts
    assert len(found) == len(texts)


def _png(width: int, height: int, pixels: bytes) -> bytes:
    """A picture that says to be large, whose pixels are zeros without end."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


_ZEROS = zlib.compress(bytes(1 << 20))
_WEBP = bytes.fromhex("524946461a000000574542505650384c0e0000002ffebfff0f071011fd0f4444ff03")  # 16383 x 16383


@pytest.mark.parametrize(
    ("file", "trouble"),
    [
        pytest.param(lambda: _png(60_000, 60_000, _ZEROS), Trouble.TOO_LARGE, id="a bomb"),
        pytest.param(lambda: _png(8_000, 8_000, _ZEROS), Trouble.TOO_LARGE, id="more pixels than are read"),
        pytest.param(lambda: _png(5_000, 5_000, _ZEROS), Trouble.NO_PICTURE, id="fewer pixels than it says"),
        pytest.param(lambda: _WEBP, Trouble.TOO_LARGE, id="a bomb of 34 bytes"),
        pytest.param(lambda: photo(LINK)[:20_000], Trouble.NO_PICTURE, id="cut off"),
        pytest.param(lambda: photo(LINK, kind="GIF", mode="L"), Trouble.NO_PICTURE, id="another format"),
        pytest.param(lambda: b"<svg/>", Trouble.NO_PICTURE, id="no picture"),
        pytest.param(photo, Trouble.NO_CODE, id="no code"),
        pytest.param(lambda: bytes(LARGEST + 1), Trouble.TOO_LARGE, id="more bytes than are read"),
    ],
)
async def test_what_says_nothing_is_told_apart(file: Callable[[], bytes], trouble: Trouble) -> None:
    with pytest.raises(PictureError) as raised:
        await read_codes(file())
    assert raised.value.trouble is trouble
    assert pictures.SENTENCES[trouble]


@pytest.mark.parametrize(
    ("program", "trouble"),
    [
        ("import time; time.sleep(60)", Trouble.TOO_SLOW),
        ("while True: print('x' * 100000)", Trouble.TOO_SLOW),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", Trouble.TOO_SLOW),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", Trouble.NO_PICTURE),
        ("import sys; sys.stdin.buffer.read(); print('nonsense')", Trouble.NO_PICTURE),
        ("import nothing_of_this_name", Trouble.NOT_HERE),
    ],
)
async def test_a_reader_that_goes_wrong_is_ended(
    program: str, trouble: Trouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "reader.py"
    script.write_text(program)
    monkeypatch.setattr(pictures, "_PROCESS", script)
    monkeypatch.setattr(pictures, "_WITHIN", 1.0 if "sleep" in program or "while" in program else 30.0)
    with pytest.raises(PictureError) as raised:
        await read_codes(photo(LINK))
    assert raised.value.trouble is trouble


def test_the_reader_opens_no_file_and_no_socket_and_takes_no_more_memory() -> None:
    program = """
import socket
from rozaneh.gateway import picture_process
picture_process._bound()
for attempt in (lambda: open("/etc/hostname"), socket.socket, lambda: bytearray(1 << 30)):
    try:
        attempt()
    except (OSError, MemoryError) as error:
        print(type(error).__name__, getattr(error, "strerror", ""))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["OSError Too many open files", "OSError Too many open files", "MemoryError "]
