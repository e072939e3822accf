import base64

import pytest

from rozaneh.core import Spec, SpecError
from rozaneh.dialers import NAMES, build
from rozaneh.dialers.registry import _LEAVES, _STRATEGIES
from rozaneh.net.memory import MemoryNetwork
from rozaneh.net.real import RealNetwork
from tests.dialers.test_wireguard import CONF
from tests.links.test_formats import PIN as HOST_KEY

EXAMPLES = {
    "browser": "browser:chrome|override:host=relay.example|tcp",
    "decoy": "decoy:example.org;ttl=4|tcp",
    "disorder": "disorder:2|tcp",
    "dnstcp": "dnstcp:8.8.8.8|tcp",
    "dnsudp": "dnsudp:[2001:4860:4860::8888]:5353|tcp",
    "doh": "doh:dns.google@8.8.8.8|tcp",
    "dot": "dot:dns.google@2001:4860:4860::8888|tcp",
    "exec": "exec:/bin/true {port}",
    "http": "http://relay.example|tcp",
    "https": "https://u:p@relay.example:8443?address=45.76.10.11|tcp",
    "override": "override:host=cdn.example&port=8443|tcp",
    "plugin": "plugin:obfs-local;obfs=tls",
    "socks5": "socks5://[2001:db8::1]:1080|tcp",
    "split": "split:1,-1,sni;delay=0|tcp",
    "ss": "ss://YWVzLTI1Ni1nY206c2VjcmV0@45.76.10.11:8388/?prefix=%16%03#name|tcp",
    "ssh": f"ssh://u:p@relay.example:22?hostkey={HOST_KEY}|tcp",
    "tcp": "tcp",
    "tls": "tls:sni=decoy.example&certname=real.example|tcp",
    "tlsfrag": "tlsfrag:sni|tcp",
    "tor": "tor",
    "trojan": "trojan://secret@relay.example:443?sni=a.example|tcp",
    "vless": "vless://b831381d-6324-4d53-ad4f-8cda48b30811@relay.example:443?encryption=none&security=tls&type=ws|tcp",
    "wireguard": "wireguard:" + base64.urlsafe_b64encode(CONF.encode()).decode(),
    "ws": "ws:path=/hidden&host=relay.example|tls:sni=relay.example|tcp",
}


def test_every_way_is_tried_here_and_listed_in_order() -> None:
    assert list(EXAMPLES) == list(NAMES)
    assert list(_STRATEGIES) == sorted(_STRATEGIES)
    assert list(_LEAVES) == sorted(_LEAVES)


BUILT = [
    text for name, text in EXAMPLES.items() if name not in ("decoy", "plugin", "tor", "wireguard")
]  # those take a program or a right


@pytest.mark.parametrize("text", [*BUILT, "doh:dns.google@8.8.8.8|tlsfrag:sni|split:2|tcp"])
def test_a_dialer_knows_the_text_that_builds_it_again(text: str) -> None:
    network = RealNetwork() if text.startswith("exec") else MemoryNetwork()
    dialer = build(text, network)
    assert str(dialer.spec) == text
    assert str(build(dialer.spec, network).spec) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "split:2",
            "element 1 of the way, 'split:2', cannot be the last: a way ends with exec, plugin, tcp, tor, wireguard",
        ),
        ("tcp|tcp", "element 1 of the way, 'tcp', opens a socket and can only stand last"),
        ("splat:3|tcp", "element 1 of the way is unknown: 'splat'; expected one of browser, decoy, disorder"),
        ("split:2|udp", "element 2 of the way is unknown: 'udp'"),
        ("tcp:443", "element 1 of the way, 'tcp:443': 'tcp' takes no argument"),
        ("doh:8.8.8.8|tcp", "element 1 of the way, 'doh:8.8.8.8': expected NAME@IP"),
        ("split:2|dot:dns.google@dns.google|tcp", "element 2 of the way, .*expected NAME@IP"),
        ("dnstcp:dns.google@8.8.8.8|tcp", "expected IP"),
        ("dnstcp:8.8.8.8:70000|tcp", "a port from 1 to 65535"),
        ("dnstcp:8.8.8.8:x|tcp", "expected IP"),
        ("doh:-!-@8.8.8.8|tcp", "expected NAME@IP"),
        ("dnsudp:|tcp", "expected IP"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        build(text, MemoryNetwork())


def test_a_spec_is_as_good_as_its_text() -> None:
    assert build(Spec.parse("tcp"), MemoryNetwork()).spec.redacted() == "tcp"
