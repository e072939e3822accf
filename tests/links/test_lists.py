"""Files of many ways: a wrong entry is named, the others are kept, and nothing in them is obeyed."""

import base64
import json

import pytest

from rozaneh.core import Spec, SpecError
from rozaneh.links import LONGEST_FILE, Given, Remark, read
from rozaneh.links.parts import LARGEST, split, waiting
from rozaneh.links.wireguard import parse as wireguard

UUID = "b831381d-6324-4d53-ad4f-8cda48b30811"
LINES = f"""# my servers
۱. ss://YWVzLTEyOC1nY206dGVzdA@192.168.100.1:8888#one

trojan://p@h.example:443
trojan://p@h.example:bad
vless://{UUID}@h.example:443?type=ws&security=tls
exec:/bin/sh -c id
ss://YWVzLTEyOC1nY206dGVzdA@192.168.100.1:8888#one
"""
CLASH = """
port: 7890
external-controller: 0.0.0.0:9090
script: {code: "import os"}
proxies:
  - {name: "A", type: ss, server: 192.168.100.1, port: 8388, cipher: aes-256-gcm, password: "pass:word/@#|", udp: true}
  - name: "سرور"
    type: trojan
    server: h.example
    port: "443"
    password: geheim
    sni: s.example
    skip-cert-verify: true
    network: ws
    ws-opts: {path: /ws, headers: {Host: cdn.example}}
  - {name: V, type: vless, server: h.example, port: 443, uuid: UUID, tls: true, network: ws, ws-opts: {path: /v}}
  - {name: R, type: vless, server: h.example, port: 443, uuid: UUID, reality-opts: {public-key: K, short-id: 1}}
  - {name: S, type: socks5, server: h.example, port: 1080, username: u, password: p}
  - {name: H, type: http, server: h.example, port: 8080, tls: true}
  - {name: M, type: vmess, server: h.example, port: 443}
  - {name: X, type: ss, server: h.example, port: 70000, cipher: aes-256-gcm, password: geheim}
  - [1, 2]
rules:
  - MATCH,DIRECT
""".replace("UUID", UUID)
SMART = {
    "dns": [{"system": {}}, {"https": {"name": "doh.sb"}}, {"https": {"name": "dns.google", "address": "8.8.8.8:443"}}],
    "tls": ["", "split:2", "tlsfrag:1", "override:host=cloudflare.net|tlsfrag:1"],
    "fallback": ["ss://YWVzLTEyOC1nY206dGVzdA@192.168.100.1:8888", {"psiphon": {}}],
}
KEY = base64.b64encode(bytes(range(32))).decode()
CONF = f"""[Interface]
# Name = Tehran
PrivateKey = {KEY}
Address = 10.2.0.2/32, fd00::2/128
DNS = 10.2.0.1
MTU = 1280

[Peer]
PublicKey = {KEY}
PresharedKey = {KEY}
AllowedIPs = 0.0.0.0/0
AllowedIPs = ::/0
Endpoint = 45.76.10.11:51820
PersistentKeepalive = 25
Colour = red
"""


def kinds(found: list[Given]) -> list[str]:
    return [each.kind for each in found]


def test_lines_name_what_is_wrong_and_keep_the_rest() -> None:
    found, wrong = read(LINES)
    assert kinds(found) == ["ss", "trojan", "vless"]
    assert [each.place for each in wrong] == ["line 5", "line 7"]
    assert "device's owner" in wrong[1].reason


def test_a_subscription_in_base64_is_the_same_list() -> None:
    for text in (base64.b64encode(LINES.encode()), base64.urlsafe_b64encode(LINES.encode()).rstrip(b"=")):
        assert read(text.decode()) == read(LINES)


def test_a_clash_like_list_gives_its_proxies_and_nothing_else() -> None:
    found, wrong = read(CLASH)
    assert kinds(found) == ["ss", "trojan", "vless", "vless", "socks5", "https"]
    assert [each.place for each in wrong] == ["proxy 7", "proxy 8", "proxy 9"]
    assert "geheim" not in str(wrong)
    assert [each.name for each in found] == ["A", "سرور", "V", "R", "S", "H"]
    assert "insecure_ignored" in found[1].remarks
    assert not found[3].way
    assert "%7C" not in found[0].way.partition("@")[0]
    assert read("\n".join(each.text for each in found)) == (found, [])


def test_a_smart_configuration_gives_its_candidates() -> None:
    for text in (json.dumps(SMART), "tls:\n  - tlsfrag:1\nfallback:\n  - socks5://h.example\n"):
        found, wrong = read(text)
        assert found
    found, wrong = read(json.dumps(SMART))
    assert [each.way for each in found] == [
        "tcp",
        "doh:dns.google@8.8.8.8|tcp",
        "split:2|tcp",
        "tlsfrag:1|tcp",
        "tlsfrag:1|override:host=cloudflare.net|tcp",
        "ss://YWVzLTEyOC1nY206dGVzdA@192.168.100.1:8888|tcp",
    ]
    assert [each.place for each in wrong] == ["dns 2", "fallback 2"]


def test_a_wireguard_file_reads_and_prints_the_same() -> None:
    conf = wireguard(CONF)
    assert wireguard(str(conf)) == conf
    assert conf.name == "Tehran"
    assert conf.peers[0].allowed == ("0.0.0.0/0", "::/0")
    assert conf.peers[0].unknown == (("colour", "red"),)
    (found,), wrong = read(CONF)
    assert (found.kind, found.place, wrong) == ("wireguard", "45.76.10.11:51820", [])
    assert KEY not in found.shown
    assert (Spec.parse(found.way), found.remarks) == (conf.spec, ())
    assert KEY not in repr(found)
    (other,), _ = read(CONF.replace("MTU = 1280", "Jc = 4"))
    assert (other.way, other.remarks) == ("", (Remark.NEEDS_PROGRAM,))


@pytest.mark.parametrize("hook", ["PreUp", "PostUp", "PreDown", "PostDown", "postup", "POSTDOWN"])
def test_a_wireguard_file_with_a_command_is_refused_whole(hook: str) -> None:
    found, wrong = read(CONF.replace("MTU = 1280", f"{hook} = touch /tmp/owned"))
    assert found == []
    assert "runs a command" in wrong[0].reason
    assert "line 6" in wrong[0].reason


def test_amnezia_s_numbers_are_kept_and_need_a_program() -> None:
    (found,), _ = read(CONF.replace("MTU = 1280", "Jc = 4\nJmin = 40\nJmax = 70\nS1 = 0\nS2 = 0\nH1 = 1\nH2 = 2"))
    assert not found.way
    assert "Jmax = 70" in found.text


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("[Peer]", "[Pear]", r"expected \[Interface\] or \[Peer\]"),
        (f"PrivateKey = {KEY}", "PrivateKey = geheim", "32 bytes"),
        ("MTU = 1280", "MTU = 99999", "0 to 65535"),
        ("MTU = 1280", "MTU = 1\nMTU = 2", "stands twice"),
        ("AllowedIPs = ::/0", "AllowedIPs = here", "networks"),
        ("Endpoint = 45.76.10.11:51820", "Endpoint = 45.76.10.11", "port is missing"),
        ("[Interface]", "[Interface]\nPrivate\u202eKey = x", "U\\+202E"),
    ],
)
def test_a_wrong_wireguard_file_is_named(old: str, new: str, reason: str) -> None:
    with pytest.raises(SpecError, match=reason) as caught:
        wireguard(CONF.replace(old, new))
    assert "geheim" not in str(caught.value)


def test_a_list_has_bounds() -> None:
    _, wrong = read("a" * (LONGEST_FILE + 1))
    assert [each.place for each in wrong] == ["the rest", "line 1"]
    _, wrong = read("x://y\n" * 5001)
    assert len(wrong) == 5001
    assert "left out" in wrong[-1].reason


@pytest.mark.parametrize(
    "text",
    [
        "proxies: &a [*a, *a]",
        "proxies:\n  - &x {type: ss}\n  - *x",
        "proxies: !!python/object/apply:os.system [id]",
        "proxies: " + "[" * 5000,
        "{" * 5000,
        '{"proxies": 7}',
        "proxies: 7",
    ],
)
def test_a_hostile_file_makes_nothing(text: str) -> None:
    assert read(text)[0] == []


def test_the_texts_of_several_codes_make_one_and_what_is_missing_is_named() -> None:
    text = "\n".join(f"socks5://h{number}.example:1080" for number in range(60))
    parts = split(text)
    assert [part.split(":")[1] for part in parts] == ["1/3", "2/3", "3/3"]
    assert all(len(part) <= LARGEST for part in parts)
    ways, wrong = read("\n\u200f".join([parts[2], "socks5://other.example:1", parts[0], parts[0], parts[1]]))
    assert len(ways) == 61
    assert not wrong
    _, (wrong_one,) = read("\n".join(parts[:2]))
    assert wrong_one.place == "QR codes, text 1"
    assert "of 3 QR codes that belong together these are missing: 3" in wrong_one.reason
    other = split(text + "\nsocks5://h60.example:1080")
    assert waiting([*parts[:2], *other, "nonsense"]) == parts[:2]
    assert waiting([*parts, *other[1:]]) == other[1:]
    changed = parts[2][:-9] + ("A" if parts[2][-9] != "A" else "B") + parts[2][-8:]
    assert "do not make up" in read("\n".join([*parts[:2], changed]))[1][0].reason
    for nonsense in ("rozaneh-part:", "rozaneh-part:3/2:00000000:AA", "rozaneh-part:1/99:00000000:AA"):
        assert "no part of" in read(nonsense)[1][0].reason
    with pytest.raises(SpecError, match="send it as a file"):
        split("x" * 9000)
