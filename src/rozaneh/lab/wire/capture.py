"""What customers send and get, as a pcap file of raw IP packets (LINKTYPE_RAW)."""

import os
import struct
import time
from contextlib import suppress

_LINKTYPE_RAW = 101
_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, _LINKTYPE_RAW)
_RECORD = struct.Struct("<IIII")
_BUFFER = 1 << 16


class PcapWriter:
    """Writes a pcap to a file descriptor that it owns; a full disk ends the capture and nothing else."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = bytearray(_HEADER)

    def add(self, raw: bytes) -> None:
        """One packet, seen now."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        self._buffer += _RECORD.pack(seconds, nanoseconds // 1000, len(raw), len(raw)) + raw
        if len(self._buffer) > _BUFFER:
            self.flush()

    def flush(self) -> None:
        """Write out what has come since the last time."""
        if self._buffer:
            with suppress(OSError):
                os.write(self._fd, self._buffer)
            self._buffer.clear()

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        os.close(self._fd)
