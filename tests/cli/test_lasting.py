"""A full disk under what is printed: what runs goes on, what has a result says that it cannot be written."""

import socket
import subprocess
import sys
from pathlib import Path

from rozaneh.cli.lasting import Lasting
from rozaneh.core import Target
from rozaneh.gateway import control

_ROZANEH = (sys.executable, "-m", "rozaneh.cli")


def test_a_gateway_whose_output_cannot_be_written_serves_all_the_same(tmp_path: Path) -> None:
    """Its file on a disk that is full, its reader gone: each connection that is told of was broken off by that once."""
    with socket.create_server(("127.0.0.1", 0)) as site, Path("/dev/full").open("wb") as full:
        target = Target(host="127.0.0.1", port=site.getsockname()[1])
        options = ("--port", "0", "--allow-local", "--state", str(tmp_path), "--json")
        gateway = subprocess.Popen([*_ROZANEH, "up", *options], stdout=full, stderr=full)
        try:
            answer = None
            while answer is None:
                assert gateway.poll() is None
                answer = control.ask(tmp_path, control.Question(ask="pause"))
            answer = control.ask(tmp_path, control.Question(ask="resume"))
            assert answer is not None
            assert answer.look is not None
            host, _, port = answer.look.proxy.rpartition(":")
            for _ in range(2):
                with socket.create_connection((host, int(port)), timeout=20) as client:
                    request = b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01" + target.port.to_bytes(2, "big")
                    client.sendall(request + b"hello")
                    served, _ = site.accept()
                    with served:
                        assert served.recv(5, socket.MSG_WAITALL) == b"hello"
                        served.sendall(b"back")
                        assert client.makefile("rb").read(16)[-4:] == b"back"
        finally:
            gateway.terminate()
            assert gateway.wait(20) == 0


def test_a_result_that_cannot_be_written_is_said_in_a_line() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*_ROZANEH, "explain"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "rozaneh: cannot write the result: No space left on device\n"


def test_what_is_taken_again_is_written_again() -> None:
    class Odd:
        """Takes nothing until there is room."""

        def __init__(self) -> None:
            self.taken = ""
            self.room = False

        def write(self, text: str) -> None:
            if not self.room:
                raise OSError(28, "No space left on device")
            self.taken += text

    odd = Odd()
    lasting = Lasting(odd)  # type: ignore[arg-type]  # as much of a stream as is needed
    lasting.write("lost")
    odd.room = True
    lasting.write("kept")
    assert odd.taken == "kept"
