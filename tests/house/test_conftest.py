"""The rules of conftest.py, each proved on a small suite of its own."""

import shutil
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

_TESTS = Path(__file__).parent.parent


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with this suite's conftest.py, which allows one skip."""
    pytester.makeini("[pytest]\nmarkers =\n    namespaces: needs tier T1 or T2 of the lab\n    xdist_group: of xdist\n")
    shutil.copy(_TESTS / "conftest.py", pytester.path)
    (pytester.path / "peers.toml").write_text('no-such-program = "no-such-package"\ncurl = "curl"\n')
    (pytester.path / "skips.toml").write_text('[[skip]]\ntest = "test_it.py::test_l*"\nneeds = "no-such-program"\n')
    return pytester


def _run(suite: pytest.Pytester, text: str) -> pytest.RunResult:
    suite.makepyfile(test_it=text)
    return suite.runpytest_subprocess("-ra", "-p", "no:cacheprovider", "--import-mode=importlib")


def test_a_listed_skip_is_allowed_and_told_in_one_line(suite: pytest.Pytester) -> None:
    result = _run(suite, "def test_listed(peer): peer('no-such-program')")
    result.assert_outcomes(skipped=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["absent here: no-such-program (Debian package no-such-package): 1 test left out"])


@pytest.mark.parametrize(
    "text",
    [
        "def test_other(peer): peer('no-such-program')",
        "import pytest\ndef test_listed(): pytest.skip('no time')",
        "import pytest\n@pytest.mark.skip\ndef test_listed(): pass",
        "import pytest\n@pytest.mark.xfail\ndef test_listed(): assert False",
    ],
    ids=["of another test", "for another reason", "by a marker", "by an expected failure"],
)
def test_an_unlisted_skip_fails_the_run(suite: pytest.Pytester, text: str) -> None:
    result = _run(suite, text)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*tests/skips.toml does not list that*"])


def test_a_skipped_file_fails_the_run(suite: pytest.Pytester) -> None:
    result = _run(suite, "import pytest\npytest.importorskip('no_such_module')\ndef test_listed(): pass")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*a whole file may not be skipped*"])


@pytest.mark.parametrize(
    "away",
    [
        "socket.create_connection(('192.0.2.1', 80), 1)",
        "socket.getaddrinfo('name.example', 80)",
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
    ],
    ids=["connect", "resolve", "datagram", "IPv6"],
)
def test_leaving_the_machine_fails_the_test_even_when_its_code_swallows_the_refusal(
    suite: pytest.Pytester, away: str
) -> None:
    result = _run(
        suite,
        f"import socket\ndef test_it():\n    try:\n        {away}\n    except BaseException:\n        pass\n",
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*a test may not leave the machine*"])


def test_loopback_is_not_away(suite: pytest.Pytester) -> None:
    _run(
        suite,
        """
        import socket
        def test_it():
            with socket.create_server(("127.0.0.1", 0)) as server:
                socket.create_connection(server.getsockname()).close()
            assert socket.getaddrinfo("localhost", 80)
        """,
    ).assert_outcomes(passed=1)
