"""Each format with the examples of its own documentation, and what is printed parses to the same."""

import base64

import pytest

from rozaneh.core import SpecError
from rozaneh.links import Remark, parse
from rozaneh.links import shadowsocks as ss
from rozaneh.links.tor import Bridge
from rozaneh.links.tor import parse as bridge

UUID = "b831381d-6324-4d53-ad4f-8cda48b30811"
KEY16 = base64.b64encode(bytes(range(16))).decode()
KEY32 = base64.b64encode(bytes(range(32))).decode()
HOST_KEY = "ssh-ed25519 " + base64.b64encode(b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + bytes(32)).decode()
PIN = HOST_KEY.replace(" ", "%20").replace("+", "%2B")
OBFS4 = (
    "obfs4 192.95.36.142:443 CDF2E852BF539B82BD10E27E9115A31734E378C2 "
    "cert=qUVQ0srL1JI/vO6V6m/24anYXiJD3QP2HgzUKQtQ7GRqqUvs7P+tG43RtAqdhLOALP7DJQ iat-mode=1"
)
WEBTUNNEL = (
    "webtunnel [2001:db8:9443:367a:3276:1e74:91c3:7a5a]:443 54BF1146B161573185FBA0299B0DC3A8F7D08080 "
    "url=https://d3pyjtpvxs6z0u.cloudfront.net/Exei6xoh1aev8fiethee ver=0.0.1"
)
SNOWFLAKE = (
    "snowflake 192.0.2.3:80 2B280B23E1107BB62ABFC40DDCC8824814F80A72 "
    "fingerprint=2B280B23E1107BB62ABFC40DDCC8824814F80A72 "
    "url=https://1098762253.rsc.cdn77.org/ fronts=www.cdn77.com,www.phpmyadmin.net "
    "ice=stun:stun.antisip.com:3478,stun:stun.epygi.com:3478 utls-imitate=hellorandomizedalpn"
)

# The examples of SIP002, SIP022, Outline's tests, Xray's proposal and trojan-url, and lines as Tor Browser has them.
GOOD = {
    "ss://YWVzLTEyOC1nY206dGVzdA@192.168.100.1:8888#Example1": "ss",
    "ss://YWVzLTEyOC1nY206dGVzdA==@192.168.100.1:8888": "ss",
    "ss://2022-blake3-aes-256-gcm:YctPZ6U7xPPcU%2Bgp3u%2B0tx%2FtRizJN9K8y%2BuKlW2qjlI%3D"
    "@192.168.100.1:8888#Example3": "ss",
    f"ss://2022-blake3-aes-128-gcm:{KEY16.replace('=', '%3D')}:{KEY16.replace('=', '%3D')}@host.example:8888/": "ss",
    "ss://aes-256-gcm:1234567@example.com:1234": "ss",
    "ss://YWVzLTI1Ni1nY206MTIzNDU2N0BleGFtcGxlLmNvbToxMjM0#outline-123": "ss",
    "ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpwYXNz@[2a00:1450:4001::34]:443"
    "/?outline=1&prefix=%16%03%01%00%C2%A8%01%01": "ss",
    "trojan://pass%2Fword@example.com:443?sni=www.example.com&alpn=h2%2Chttp%2F1.1#my%20server": "trojan",
    "trojan://geheim@example.com?type=ws&path=%2Fws&host=cdn.example.com&peer=old.example.com": "trojan",
    f"vless://{UUID}@example.com:443?type=ws&security=tls&sni=a.example&host=b.example&path=%2Fray%3Fed%3D2048"
    "&encryption=none#VLESSWSTLS": "vless",
    f"vless://{UUID}@[2a00:1450:4001::34]:443?security=tls&encryption=none": "vless",
    "socks5://user:pa%3Ass@proxy.example:1080": "socks5",
    "socks5h://proxy.example": "socks5",
    "socks://dXNlcjpwYXNz@proxy.example:1080#v2rayN": "socks5",
    "http://proxy.example:3128": "http",
    "https://user:pass@proxy.example?address=45.76.10.11": "https",
    f"ssh://me@server.example:2222?hostkey={PIN}": "ssh",
    OBFS4: "tor",
    f"Bridge {OBFS4}": "tor",
    WEBTUNNEL: "tor",
    SNOWFLAKE: "tor",
    "Bridge 192.95.36.142:443 CDF2E852BF539B82BD10E27E9115A31734E378C2": "tor",
    "split:2|tlsfrag:1|ss://aes-256-gcm:lab@45.76.10.11:8388": "stack",
    "doh:dns.google@8.8.8.8|tlsfrag:sni|tcp": "stack",
    "webtunnel 192.0.2.1:443 url=https://x.example/y": "tor",
}


@pytest.mark.parametrize(("text", "kind"), GOOD.items())
def test_what_is_printed_parses_to_the_same(text: str, kind: str) -> None:
    first = parse(text)
    again = parse(first.text)
    assert first.kind == kind
    assert again == first
    assert parse(again.text).text == first.text


@pytest.mark.parametrize("text", GOOD)
def test_a_secret_shows_nowhere(text: str) -> None:
    way = parse(text)
    for secret in ("geheim", "pass", "1234567", UUID, "dGVzdA", "qUVQ0srL1JI", "Exei6xoh1aev8fiethee", "lab@"):
        assert secret not in repr(way)
        assert secret not in way.shown


def test_shadowsocks_says_what_its_link_says() -> None:
    link = ss.parse("ss://YWVzLTI1Ni1nY206MTIzNDU2N0BleGFtcGxlLmNvbToxMjM0P3ByZWZpeD1IVFRQJTJGMS4xJTIw#outline-123")
    assert (link.method, link.password, link.host, link.port) == ("aes-256-gcm", "1234567", "example.com", 1234)
    assert (link.prefix, link.name) == (b"HTTP/1.1 ", "outline-123")
    prefixed = ss.parse("ss://aes-128-gcm:x@h.example:1?prefix=%16%03%01%00%C2%A8%01%01&colour=red")
    assert prefixed.prefix == b"\x16\x03\x01\x00\xa8\x01\x01"
    assert prefixed.unknown == (("colour", "red"),)


def test_the_keys_of_2022_are_bytes() -> None:
    link = ss.parse(f"ss://2022-blake3-aes-256-gcm:{KEY32.replace('+', '%2B').replace('/', '%2F')}@h.example:1")
    assert link.keys == (bytes(range(32)),)
    assert "@" in str(link)
    assert base64.urlsafe_b64encode(b"2022-")[:6].decode() not in str(link)


def test_outline_s_order_is_turned_around() -> None:
    assert parse("tlsfrag:1|split:2").way == "split:2|tlsfrag:1|tcp"
    assert (
        parse("doh:name=cloudflare-dns.com.&address=1.1.1.1|split:2").way
        == "split:2|doh:cloudflare-dns.com@1.1.1.1|tcp"
    )
    assert parse("disorder:0|split:123").way == "disorder:123|tcp"
    assert parse("tls:sni=decoy.example.com&certname=real.example|socks5:real.example:1080").way == (
        "socks5://real.example:1080|tls:sni=decoy.example.com&certname=real.example|tcp"
    )
    assert parse("override:host=cloudflare.net|tlsfrag:1").way == "tlsfrag:1|override:host=cloudflare.net|tcp"


def test_bridges_keep_their_settings_and_their_placeholder() -> None:
    assert bridge(OBFS4).settings[1] == ("iat-mode", "1")
    assert not bridge(OBFS4).placeholder
    for line in (WEBTUNNEL, SNOWFLAKE):
        assert bridge(line).placeholder
        assert Remark.PLACEHOLDER in parse(line).remarks
    assert isinstance(bridge(SNOWFLAKE), Bridge)


@pytest.mark.parametrize(
    ("text", "remark", "way"),
    [
        ("trojan://p@h.example:443?allowInsecure=1", Remark.INSECURE_IGNORED, True),
        ("trojan://p@h.example:443?fp=randomized", Remark.FINGERPRINT_NOT_WORN, True),
        ("trojan://p@h.example:443?type=grpc", Remark.NEEDS_PROGRAM, False),
        (f"vless://{UUID}@h.example:443?security=reality&pbk=k&sid=1&spx=%2F", Remark.NEEDS_PROGRAM, False),
        (f"vless://{UUID}@h.example:443?security=tls&flow=xtls-rprx-vision", Remark.NEEDS_PROGRAM, False),
        (f"vless://{UUID}@h.example:443?type=ws&security=none", Remark.NEEDS_PROGRAM, False),
        ("ss://aes-128-gcm:x@h.example:1?plugin=obfs-local%3Bobfs%3Dtls", Remark.NEEDS_PLUGIN, False),
        ("ssh://h.example", Remark.NO_HOST_KEY, False),
        ("socks5://h.example", Remark.IN_THE_CLEAR, True),
    ],
)
def test_what_should_be_known_first_is_remarked(text: str, remark: Remark, way: bool) -> None:
    found = parse(text)
    assert remark in found.remarks
    assert bool(found.way) is way
    assert parse(found.text) == found


def test_reality_is_kept_whole() -> None:
    asked = "security=reality&sni=s.example&fp=chrome&pbk=KEY&sid=6ba8&spx=%2F&flow=xtls-rprx-vision"
    kept = parse(f"vless://{UUID}@h.example:443?{asked}").text
    assert all(each in kept for each in ("pbk=KEY", "sid=6ba8", "spx=/", "flow=xtls-rprx-vision", "sni=s.example"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no link that is known here"),
        ("hello there", "no link that is known here"),
        ("ss://rc4-md5:geheim@h.example:1", "cipher 'rc4-md5'"),
        ("ss://aes-256-gcm@h.example:1", "should be base64"),
        ("ss://YWVzLTEyOC1nY206dGVzdA@h.example", "port is missing"),
        ("ss://YWVzLTEyOC1nY206dGVzdA@h.example:0", "not between 1 and 65535"),
        ("ss://YWVzLTEyOC1nY206dGVzdA@h.example:65536", "not between 1 and 65535"),
        ("ss://YWVzLTEyOC1nY206dGVzdA@h.example:۸۳۸۸", "not between 1 and 65535"),
        ("ss://YWVzLTEyOC1nY206dGVzdA@h.example:0x50", "not between 1 and 65535"),
        ("ss://2022-blake3-aes-256-gcm:c2hvcnQ%3D@h.example:1", "32 bytes"),
        (f"ss://2022-blake3-chacha20-poly1305:{KEY32}:{KEY32}@h.example:1", "takes 1 key"),
        ("ss://aes-128-gcm:x@h.example:1?prefix=%FF", "not UTF-8"),
        ("ss://aes-128-gcm:x@h.example:1?prefix=aaaaaaaaaaaaaaaaa", "too little salt"),
        ("ss://aes-128-gcm:x@h.example:1?a=1&a=2", "stands twice"),
        ("trojan://geh/eim@h.example:443", "written %2F"),
        ("trojan://@h.example:443", "password is missing"),
        ("trojan://p@exa mple.com:443", "neither an IP address nor a name"),
        ("trojan://p@h.example:443?type=ws&path=a%20b", "a space or a control"),
        ("vless://not-a-uuid@h.example:443", "no UUID"),
        (f"vless://{UUID}@h.example:443?encryption=aes", "encryption=none alone"),
        ("socks5://h.example/path", "no proxy"),
        ("https://example.org/sub?token=geheim", "no proxy"),
        (f"socks5://{'u' * 256}:geheim@h.example", "255 bytes"),
        ("ssh://h.example?hostkey=ssh-ed25519%20bm9rZXk%3D", "public key"),
        ("socks5://[fe80::1%25eth0]:1080", "IPv6 address"),
        ("obfs4 192.95.36.142:443 CDF2E852BF539B82BD10E27E9115A31734E378C2", "needs cert and iat-mode"),
        ("meek_lite 0.0.2.0:2 97700DFE9F483596DDA6264C4D7DF7641E1E39CE url=https://x.example", "not spoken here"),
        ("webtunnel bridge.example:443 url=https://x.example", "an IP address"),
        ("vmess://eyJ2IjoiMiJ9", "not spoken here"),
        ("ssconf://example.org/key", "download it"),
        ("javascript://x", "not known here"),
        ("exec:/bin/sh -c id", "device's owner alone"),
        ("EXEC:/bin/sh", "device's owner alone"),
        ("exec:/bin/sh|tcp", "device's owner alone"),
        ("split:2|exec:/bin/sh|tcp", "device's owner alone"),
        ("split:2|exec:/bin/sh", "not spoken here"),
        ("disorder:1", "disorder:0|split:N alone"),
        ("doh:name=dns.google|split:2", "without an IP address"),
        ("tlsfrag:0", "a number of bytes"),
        ("oob:1", "no link that is known here"),
    ],
)
def test_what_is_wrong_is_said_without_the_secret(text: str, reason: str) -> None:
    with pytest.raises(SpecError, match=reason.replace("|", r"\|")) as caught:
        parse(text)
    assert "geheim" not in str(caught.value)


def test_only_the_owner_names_a_file_of_this_device() -> None:
    text = f"ssh://me@h.example?hostkey={PIN}&key=/home-of-mine/id"
    assert parse(text).unknown == ("key",)
    assert "key=" not in parse(text).way.replace("hostkey=", "")
    assert "key=/home-of-mine/id" in parse(text, own=True).way


def test_a_name_in_another_script_becomes_its_a_label() -> None:
    assert parse("socks5://سرور.example:1080").place.startswith("xn--")
