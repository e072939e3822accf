"""A corpus of links and files that try to run something, to be obeyed or to break the reader."""

import sys
from contextlib import suppress

import pytest

from rozaneh.core import SpecError
from rozaneh.links import parse, read

_STARTS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.fork", "pty.spawn", "open")
_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

CORPUS = [
    "exec:/bin/sh -c 'touch /tmp/owned'",
    " \u200cexec:/bin/sh -c id",
    "Exec:sh",
    "1. exec:sh",
    "exec:sh|tcp",
    "tlsfrag:1|exec:sh -c id|tcp",
    "ss://aes-128-gcm:x@h.example:1?plugin=%2Fbin%2Fsh%3B-c%3Did",
    "ss://aes-128-gcm:x@h.example:1?plugin=obfs-local%3Bobfs%3Dtls%3B%60id%60",
    "plugin:/bin/sh|tcp",
    "trojan://$(id)@h.example:443?sni=`id`",
    "trojan://x@h.example:443?exec=/bin/sh&allowInsecure=1",
    "vless://b831381d-6324-4d53-ad4f-8cda48b30811@h.example:443?spx=;id",
    "ssh://-oProxyCommand=id@h.example",
    "ssh://x@-oProxyCommand%3Did",
    "ssh://x@h.example?key=/etc/shadow&hostkey=ssh-ed25519%20AAAA",
    "socks5://h.example?address=$(id)",
    "obfs4 1.2.3.4:443 CDF2E852BF539B82BD10E27E9115A31734E378C2 cert=a iat-mode=0 ClientTransportPlugin=obfs4",
    "Bridge obfs4 1.2.3.4:443 cert=a iat-mode=0\nClientTransportPlugin obfs4 exec /bin/sh",
    f"[Interface]\nPrivateKey={_KEY}\nAddress=10.0.0.2/32\nPostUp=id\n[Peer]\nPublicKey={_KEY}\nAllowedIPs=0.0.0.0/0\n",
    "proxies: !!python/object/apply:os.system ['id']",
    "proxies:\n  - {name: x, type: ss, server: h.example, port: 1, cipher: aes-128-gcm, password: x, plugin: /bin/sh}",
    '{"fallback": ["exec:/bin/sh -c id", {"psiphon": {"exec": "id"}}]}',
    "file:///etc/passwd",
    "data:text/plain,exec:sh",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("text", CORPUS)
def test_nothing_that_is_imported_starts_a_program(text: str) -> None:
    started: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event.startswith(_STARTS):
            started.append(f"{event} {arguments[:1]!r}")

    sys.addaudithook(watch)
    try:
        found, _ = read(text)
        for way in found:
            assert not way.way.startswith(("exec:", "plugin:"))
            assert "exec" not in [element.partition(":")[0] for element in way.way.split("|")]
        with suppress(SpecError):
            assert "exec" not in parse(text).kind
    finally:
        watching = False
    assert started == []
