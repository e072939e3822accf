"""Real programs against the lab's servers and with each other: what interoperates here does so outside."""

from collections.abc import Callable, Iterator

import pytest

from rozaneh.core import LocalFault
from rozaneh.lab.hosts import LabClient
from rozaneh.lab.lab import Lab
from rozaneh.lab.tools import Microsocks, Nginx, SsLocal, SsServer, absent, find, start

pytestmark = pytest.mark.namespaces

_RELAY = "45.76.10.11"
_METHODS = ["chacha20-ietf-poly1305", "aes-256-gcm"]
Peer = Callable[[str], str]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture
def home(lab: Lab) -> Iterator[LabClient]:
    with lab.client("mobile") as made:
        yield made


def _page(home: LabClient, *options: str) -> str:
    ran = home.run(["curl", "-sS", "-m", "10", *options, "https://www.instagram.com/"])
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.peers
@pytest.mark.parametrize(("port", "method"), [(8388, _METHODS[0]), (8389, _METHODS[1])])
def test_the_real_client_speaks_with_our_shadowsocks_server(
    home: LabClient, peer: Peer, port: int, method: str
) -> None:
    peer("ss-local")
    with start(home, SsLocal(server=_RELAY, port=port, password="lab", method=method)):
        assert f"your address {_RELAY}" in _page(home, "--socks5-hostname", "127.0.0.1:1080")


@pytest.mark.peers
@pytest.mark.parametrize("method", _METHODS)
def test_the_real_server_and_client_speak_with_each_other(lab: Lab, home: LabClient, peer: Peer, method: str) -> None:
    peer("ss-server")
    server = SsServer(address=_RELAY, port=18388, password="a password", method=method)
    with (
        start(lab.host("relay"), server),
        start(home, SsLocal(server=_RELAY, port=18388, password="a password", method=method)),
    ):
        assert f"your address {_RELAY}" in _page(home, "--socks5-hostname", "127.0.0.1:1080")


@pytest.mark.peers
def test_microsocks_asks_for_its_password(lab: Lab, home: LabClient, peer: Peer) -> None:
    peer("microsocks")
    with start(lab.host("relay"), Microsocks(address=_RELAY, port=11080, user="u", password="p")):
        page = _page(home, "--socks5-hostname", f"u:p@{_RELAY}:11080")
        assert any(f"your address {address}" in page for address in lab.host("relay").addresses)
        wrong = ["curl", "-sS", "--socks5-hostname", f"u:wrong@{_RELAY}:11080", "https://www.instagram.com/"]
        assert home.run(wrong, timeout=20).returncode == 97


@pytest.mark.peers
def test_nginx_passes_a_stream_on(lab: Lab, home: LabClient, peer: Peer) -> None:
    peer("nginx")
    with start(lab.host("relay"), Nginx(address=_RELAY, port=10443, to="157.240.1.174:443")):
        assert f"your address {_RELAY}" in _page(home, "--connect-to", f"www.instagram.com:443:{_RELAY}:10443")


@pytest.mark.peers
def test_dig_believes_our_resolvers(home: LabClient, peer: Peer) -> None:
    peer("dig")
    for options in (["@8.8.8.8"], ["@8.8.8.8", "+tcp"], ["@2606:4700:4700::1111"], []):
        assert home.run(["dig", "+short", "www.instagram.com", *options]).stdout.split() == ["157.240.1.174"]
    assert "NXDOMAIN" in home.run(["dig", "nobody.example", "@8.8.8.8"]).stdout


@pytest.mark.peers
def test_openssl_believes_our_certificates(home: LabClient, peer: Peer) -> None:
    peer("openssl")
    for option in ("-tls1_2", "-tls1_3"):
        ran = home.run(["openssl", "s_client", "-connect", "example.org:443", option, "-verify_return_error"])
        assert "Verify return code: 0 (ok)" in ran.stdout


@pytest.mark.peers
def test_a_peer_that_ends_at_once_says_why(lab: Lab, peer: Peer) -> None:
    peer("ss-server")
    wrong = SsServer(address=_RELAY, port=18390, password="x", method="no-such-cipher")
    with pytest.raises(LocalFault, match="ended at once"), start(lab.host("relay"), wrong):
        pass


@pytest.mark.peers
def test_a_peer_is_not_taken_for_the_server_that_had_its_port_before(lab: Lab, peer: Peer) -> None:
    peer("microsocks")
    with (
        pytest.raises(LocalFault, match="port 1080 of relay is taken"),
        start(lab.host("relay"), Microsocks(address=_RELAY, port=1080)),
    ):
        pass


def test_what_is_not_installed_is_said_in_words() -> None:
    assert absent("no-such-program-here") == "no-such-program-here is not installed"
    with pytest.raises(LocalFault, match="not installed"):
        find("no-such-program-here")
