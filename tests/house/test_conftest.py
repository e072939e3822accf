"""The rules of conftest.py, each proved on a small suite of its own."""

import shutil
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

_TESTS = Path(__file__).parent.parent
_UNLISTED = ("for_another_reason", "by_a_marker", "by_an_expected_failure")


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with this suite's conftest.py, which allows one skip."""
    monkeypatch.setenv("COLUMNS", "200")  # a line of the summary is cut at the width of the terminal
    pytester.makeini("[pytest]\nmarkers =\n    namespaces: needs tier T1 or T2 of the lab\n")
    shutil.copy(_TESTS / "conftest.py", pytester.path)
    (pytester.path / "peers.toml").write_text('no-such-program = "no-such-package"\ncurl = "curl"\n')
    (pytester.path / "skips.toml").write_text('[[skip]]\ntest = "test_it.py::test_l*"\nneeds = "no-such-program"\n')
    return pytester


def _run(suite: pytest.Pytester, text: str) -> pytest.RunResult:
    suite.makepyfile(test_it=text)
    return suite.runpytest_subprocess("-rA", "-p", "no:cacheprovider", "--import-mode=importlib")


def test_what_may_be_left_out_is_listed_and_nothing_leaves_the_machine(suite: pytest.Pytester) -> None:
    # One run for all of them: a process of pytest takes seconds to start.
    result = _run(
        suite,
        """
        import socket
        import pytest

        def test_listed(peer):
            peer("no-such-program")

        def test_of_another_test(peer):
            peer("no-such-program")

        def test_like_the_listed_for_another_reason():
            pytest.skip("no time")

        @pytest.mark.skip
        def test_like_the_listed_by_a_marker():
            pass

        @pytest.mark.xfail
        def test_like_the_listed_by_an_expected_failure():
            assert False

        @pytest.mark.parametrize("away", [
            lambda: socket.create_connection(("192.0.2.1", 80), 1),
            lambda: socket.getaddrinfo("name.example", 80),
            lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53)),
            lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80)),
        ], ids=["connect", "resolve", "datagram", "IPv6"])
        def test_away(away):
            try:  # the refusal is not heard by the code under test
                away()
            except BaseException:
                pass

        def test_here():
            with socket.create_server(("127.0.0.1", 0)) as server:
                socket.create_connection(server.getsockname()).close()
            assert socket.getaddrinfo("localhost", 80)
        """,
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    # Who swallowed the refusal is found out when the test is over, which pytest calls an error of a test that passed.
    result.assert_outcomes(skipped=1, failed=3, passed=5, errors=5)
    said = result.outlines
    for name in ("test_of_another_test", *(f"test_like_the_listed_{how}" for how in _UNLISTED)):
        assert any(f"::{name} - skipped, but tests/skips.toml does not list that" in line for line in said), name
    for way in ("connect", "resolve", "datagram", "IPv6"):
        assert any(f"ERROR test_it.py::test_away[{way}] - Failed: a test may not leave" in line for line in said), way
    assert "PASSED test_it.py::test_here" in said
    assert "absent here: no-such-program (Debian package no-such-package): 1 test left out" in said


def test_a_skipped_file_fails_the_run(suite: pytest.Pytester) -> None:
    result = _run(suite, "import pytest\npytest.importorskip('no_such_module')\ndef test_listed(): pass")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*a whole file may not be skipped*"])
