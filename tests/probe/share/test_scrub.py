"""Planting private things at random depth, in every form; none of them may be in the bytes that would leave."""

import base64
import gzip
import html
import ipaddress
import zlib
from typing import Any
from urllib.parse import quote

import dns.edns
import dns.message
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rozaneh.probe.share.coarse import coarse
from rozaneh.probe.share.private import Private, Unknown, local_networks
from rozaneh.probe.share.scrub import SCRUBBED, NotScrubbed, scrub, vouch, without_tokens

V4, OTHER_V4, LOCAL = "85.133.207.14", "5.202.13.200", "192.168.31.77"
V6 = "2a01:5ec0:77:0:a5b:1cff:fe2d:3e4f"
MAC, HOST, USER, SSID = "08:5b:1c:2d:3e:4f", "nasrin-thinkpad", "nasrin1987", "Cafe Rozaneh 5G"
PRIVATE = Private.of(
    [V4, OTHER_V4, LOCAL, V6, "127.0.0.1", "::1"],
    networks=["192.168.31.0/24"],
    names=[HOST, USER, SSID, "root", "pc"],
    hardware=[MAC, "00:00:00:00:00:00"],
)


def v4_forms(text: str) -> dict[str, str]:
    ip = ipaddress.IPv4Address(text)
    packed, parts = ip.packed, text.split(".")
    back = ".".join(parts[::-1])
    return {
        "plain": text,
        "port": f"{text}:443",
        "glued": f"ip{text}x",
        "reversed": f"{back}.in-addr.arpa",
        "dashed": f"ip-{text.replace('.', '-')}.isp.example",
        "dashed reversed": f"{'-'.join(parts[::-1])}.dsl.example",
        "padded": ".".join(part.zfill(3) for part in parts),
        "octal": ".".join(f"0{int(part):o}" for part in parts),
        "dotted hex": ".".join(hex(int(part)) for part in parts),
        "decimal": str(int(ip)),
        "hex": packed.hex(),
        "HEX": packed.hex().upper(),
        "0x": hex(int(ip)),
        "hex with colons": packed.hex(":"),
        "little-endian hex": packed[::-1].hex().upper(),
        "mapped": f"::ffff:{text}",
        "mapped in hex": f"::ffff:{packed[:2].hex()}:{packed[2:].hex()}",
        "mapped expanded": ipaddress.IPv6Address(f"::ffff:{text}").exploded,
        "nat64": f"64:ff9b::{text}",
        "nat64 in hex": str(ipaddress.IPv6Address(f"64:ff9b::{text}")),
        "6to4": str(ipaddress.IPv6Address((0x2002 << 112) | (int(ip) << 80))),
        "percent dots": text.replace(".", "%2E"),
        "percent": "".join(f"%{ord(c):02x}" for c in text),
        "percent twice": "".join(f"%25{ord(c):02X}" for c in text),
        "entities": "".join(f"&#{ord(c)};" for c in text),
        "hex entities": "".join(f"&#x{ord(c):x};" for c in text),
        "backslash x": "".join(f"\\x{byte:02x}" for byte in packed),
        "backslash u": "".join(f"\\u{ord(c):04x}" for c in text),
        "defanged": text.replace(".", "[.]"),
        "Persian digits": text.translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")),
        "Arabic digits": text.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
        "full width": text.translate(str.maketrans("0123456789.", "０１２３４５６７８９．")),
        "hex of the text": text.encode().hex(),
        "unknown_failure": f"unknown_failure: read tcp {text}:53124->93.184.216.34:443: i/o timeout",
        "json in json": f'{{"origin": "{text}"}}',
    }


def v6_forms(text: str) -> dict[str, str]:
    ip = ipaddress.IPv6Address(text)
    nibbles = ip.exploded.replace(":", "")
    return {
        "plain": str(ip),
        "upper": str(ip).upper(),
        "expanded": ip.exploded,
        "EXPANDED": ip.exploded.upper(),
        "no zeros squeezed": ":".join(f"{int(part, 16):x}" for part in ip.exploded.split(":")),
        "bracketed": f"[{ip}]:443",
        "zone": f"{ip}%wlan0",
        "glued": f"addr={ip};",
        "ip6.arpa": ".".join(nibbles[::-1]) + ".ip6.arpa",
        "percent": quote(str(ip), safe=""),
        "percent all": "".join(f"%{ord(c):02X}" for c in str(ip)),
        "hex": ip.packed.hex(),
        "HEX": ip.packed.hex().upper(),
        "decimal": str(int(ip)),
        "dashed": ip.exploded.replace(":", "-"),
        "another of its /64": str(ipaddress.IPv6Address(int(ip) ^ 0xBEEF)),
        "its subnet": f"{ipaddress.IPv6Address(int(ip) >> 64 << 64)}/64",
    }


def as_base64(plain: bytes, before: int) -> str:
    return base64.b64encode(b"q" * before + plain + b"zz").decode()


def binary_forms(text: str) -> dict[str, str]:
    packed = ipaddress.ip_address(text).packed
    found = {}
    for shift in range(4):
        found[f"base64 of the text, {shift} before"] = as_base64(text.encode(), shift)
        found[f"base64 of the bytes, {shift} before"] = as_base64(packed, shift)
        found[f"urlsafe base64, {shift} before"] = as_base64(packed, shift).replace("+", "-").replace("/", "_")
        found[f"base64 within a word, {shift} before"] = f"data:image/png;base64,{as_base64(text.encode(), shift)}"
    found |= {
        "base64 of the bytes alone": base64.b64encode(packed).decode().rstrip("="),
        "base64 of base64": base64.b64encode(base64.b64encode(text.encode())).decode(),
        "base64 of gzip": base64.b64encode(gzip.compress(f"<p>{text}</p>".encode())).decode(),
        "base64 of zlib": base64.b64encode(zlib.compress(text.encode())).decode(),
        "base64 of gzip after junk": base64.b64encode(b"junk" + gzip.compress(text.encode())).decode(),
        "base64 of utf-16": base64.b64encode(text.encode("utf-16-le")).decode(),
        "hex of gzip": gzip.compress(text.encode()).hex(),
        "base64 of percent": base64.b64encode(quote(text, safe="").encode()).decode(),
        "entity of base64": html.escape(as_base64(text.encode(), 1)),
    }
    return found


NAMES = {
    "mac": MAC,
    "MAC with dashes": MAC.upper().replace(":", "-"),
    "mac bare": MAC.replace(":", ""),
    "mac cisco": "085b.1c2d.3e4f",
    "host": f"http://{HOST}.local/",
    "HOST": HOST.upper(),
    "user": f"/home/{USER}/.cache",
    "ssid": f"you are on {SSID}!",
    "base64 of the user": base64.b64encode(b"user=" + USER.encode()).decode(),
    "percent ssid": quote(SSID),
    "subnet": "edns0-client-subnet 85.133.207.0/24",
}
FORMS = {
    **{f"{address}, {name}": form for address in (V4, OTHER_V4, LOCAL) for name, form in v4_forms(address).items()},
    **{f"v6, {name}": form for name, form in v6_forms(V6).items()},
    **{f"{address}, {name}": form for address in (V4, V6) for name, form in binary_forms(address).items()},
    **NAMES,
}
BEFORE = ("", " ", "<p>Your address: ", "client_ip=", "/", '"', "آدرس شما ")
AFTER = ("", " ", "</p>", "&x=1", "/", '"', " است", "\n")

plain = st.sampled_from(["ok", "A", "93.184.216.34", "https://example.org/", "<html></html>", "", "10.10.34.36"])
leaves = st.one_of(plain, st.none(), st.booleans(), st.integers(-1, 70_000), st.floats(0, 60))
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(plain, inner, max_size=3)),
    max_leaves=8,
)


def plant(tree: Any, planted: str, way: list[int], *, as_key: bool) -> Any:
    """Put a text somewhere into a tree: where a walk of choices leads."""
    if way and isinstance(tree, list) and tree:
        at = way[0] % len(tree)
        return [plant(each, planted, way[1:], as_key=as_key) if n == at else each for n, each in enumerate(tree)]
    if way and isinstance(tree, dict) and tree:
        key = sorted(tree)[way[0] % len(tree)]
        return {**tree, key: plant(tree[key], planted, way[1:], as_key=as_key)}
    return {planted: tree} if as_key else [tree, planted]


def out(measurement: dict[str, Any]) -> bytes:
    data = msgspec.json.encode(scrub(measurement, PRIVATE))
    vouch(data, PRIVATE)
    return data


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_found_in_a_body(name: str) -> None:
    planted = FORMS[name]
    body = f"<html><body>{planted}</body></html>"
    with pytest.raises(NotScrubbed):
        vouch(msgspec.json.encode({"test_keys": {"body": body}}), PRIVATE)
    data = out({"test_keys": {"requests": [{"response": {"body": body}}]}})
    assert planted not in msgspec.json.decode(data)["test_keys"]["requests"][0]["response"]["body"]


@settings(max_examples=200)
@given(
    tree=trees,
    planted=st.sampled_from(sorted(FORMS.values())),
    before=st.sampled_from(BEFORE),
    after=st.sampled_from(AFTER),
    way=st.lists(st.integers(0, 5), max_size=6),
    as_key=st.booleans(),
)
def test_nothing_planted_anywhere_leaves(
    tree: Any, planted: str, before: str, after: str, way: list[int], *, as_key: bool
) -> None:
    whole = plant({"test_keys": tree, "input": "https://example.org/"}, before + planted + after, way, as_key=as_key)
    measurement = whole if isinstance(whole, dict) else {"test_keys": whole}
    data = out(measurement)
    assert planted.encode() not in data
    assert planted not in str(msgspec.json.decode(data))


@given(way=st.lists(st.integers(0, 5), max_size=6), tree=trees)
def test_an_address_as_a_number_does_not_leave(way: list[int], tree: Any) -> None:
    number = int(ipaddress.ip_address(V4))
    planted = msgspec.json.decode(
        msgspec.json.encode({"test_keys": plant(tree, "@", way, as_key=False)}).replace(b'"@"', str(number).encode())
    )
    assert str(number).encode() not in out(planted)


def test_bodies_certificates_and_dns_messages_in_base64() -> None:
    packed = ipaddress.ip_address(V4).packed
    message = dns.message.make_query("example.org", "A", use_edns=True)
    message.use_edns(options=[dns.edns.ECSOption("85.133.207.0", 24)])
    clean = dns.message.make_query("example.org", "A").to_wire()
    good = base64.b64encode(clean).decode()
    made = scrub(
        {
            "test_keys": {
                "tls_handshakes": [
                    {
                        "peer_certificates": [
                            {"data": base64.b64encode(b"\x30\x82" + packed).decode(), "format": "base64"}
                        ]
                    }
                ],
                "queries": [
                    {"raw_response": base64.b64encode(message.to_wire()).decode()},
                    {"raw_response": good},
                    {"raw_response": "bm90IGEgbWVzc2FnZQ=="},
                ],
                "requests": [
                    {
                        "response": {
                            "body": {"data": base64.b64encode(gzip.compress(V4.encode())).decode(), "format": "base64"}
                        }
                    }
                ],
            }
        },
        PRIVATE,
    )["test_keys"]
    assert made["tls_handshakes"][0]["peer_certificates"] == [SCRUBBED]
    assert [query["raw_response"] for query in made["queries"]] == [SCRUBBED, good, SCRUBBED]
    assert made["requests"][0]["response"]["body"] == SCRUBBED


def test_cookies_credentials_and_tokens_go_whatever_they_are() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.abcdefghijklmnop"
    response = {
        "headers": {
            "Set-Cookie": "id=1",
            "Location": f"https://u:p@login.example/{token}?session=1#x",
            "Server": "nginx",
        },
        "headers_list": [["set-cookie", "id=1"], ["X-Forwarded-For", "1.2.3.4"], ["Location", "/next?t=1"], ["odd"]],
    }
    request = {"headers": {"Cookie": {"data": "eA==", "format": "base64"}, "Authorization": "Basic x"}}
    made = scrub({"test_keys": {"requests": [{"request": request, "response": response}]}}, PRIVATE)
    seen = made["test_keys"]["requests"][0]
    assert seen["response"]["headers"] == {
        "Set-Cookie": SCRUBBED,
        "Location": f"https://login.example/{SCRUBBED}?{SCRUBBED}",
        "Server": "nginx",
    }
    assert seen["response"]["headers_list"] == [
        ["set-cookie", SCRUBBED],
        ["X-Forwarded-For", SCRUBBED],
        ["Location", f"/next?{SCRUBBED}"],
        ["odd"],
    ]
    assert seen["request"]["headers"] == {"Cookie": SCRUBBED, "Authorization": SCRUBBED}


@pytest.mark.parametrize("link", ["http://10.10.34.36/?type=Invalid Site", "https://peyvandha.ir/", "//[", "/a/b"])
def test_where_a_redirect_leads_stays_evidence(link: str) -> None:
    made = without_tokens(link)
    assert made == SCRUBBED or link.partition("?")[0] == made.partition("?")[0]


def test_what_is_evidence_stays() -> None:
    measurement = {
        "probe_ip": "127.0.0.1",
        "probe_asn": "AS197207",
        "test_keys": {
            "queries": [{"answers": [{"ipv4": "10.10.34.36"}, {"ipv6": "d0::11"}], "hostname": "twitter.com"}],
            "tcp_connect": [{"ip": "93.184.216.34", "port": 443, "status": {"failure": "generic_timeout_error"}}],
            "requests": [{"response": {"body": "<title>M5-6</title> " + "lorem ipsum dolor sit amet " * 50}}],
            "x_blocking_flags": 1,
            "body_proportion": 0.25,
        },
    }
    assert scrub(measurement, PRIVATE) == measurement


def test_the_address_field_and_places_are_never_kept() -> None:
    made = scrub({"probe_ip": V4, "probe_city": "Shiraz", "probe_id": "x", "test_keys": {}}, PRIVATE)
    assert made == {"probe_ip": "127.0.0.1", "test_keys": {}}


@pytest.mark.parametrize("known", [[], ["127.0.0.1"], ["192.168.1.2", "::1"], ["10.0.0.7", "fe80::1"], ["100.64.3.2"]])
def test_without_the_address_seen_from_outside_nothing_is_shared(known: list[str]) -> None:
    with pytest.raises(Unknown):
        Private.of(known)
    Private.of(known, outside=["85.133.207.14"])
    Private.of(known, again=True)


def test_a_bomb_or_an_abyss_is_not_vouched_for() -> None:
    bomb = base64.b64encode(gzip.compress(bytes(1 << 23))).decode()
    assert scrub({"test_keys": {"body": bomb}}, PRIVATE)["test_keys"]["body"] == SCRUBBED
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    with pytest.raises(NotScrubbed):
        scrub({"test_keys": deep}, PRIVATE)
    with pytest.raises(NotScrubbed):
        vouch(b"\xff", PRIVATE)
    many = V4.encode()
    for _ in range(6):
        many = base64.b64encode(many)
    assert scrub({"test_keys": {"body": many.decode()}}, PRIVATE)["test_keys"]["body"] == SCRUBBED


def test_local_networks_are_those_nearby_and_not_a_whole_private_range() -> None:
    routes = (
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
        "wlan0\t00000000\t011FA8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
        "wlan0\t001FA8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0\n"
        "tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n"
        "broken line\n"
    )
    assert local_networks(routes) == ["192.168.31.0/24"]
    assert local_networks("") == []


@given(st.datetimes().filter(lambda moment: moment.year > 1000))
def test_the_shared_time_is_the_hour(moment: Any) -> None:
    text = moment.strftime("%Y-%m-%d %H:%M:%S")
    made = coarse({"measurement_start_time": text, "test_start_time": text, "test_runtime": 3.217})
    assert made["measurement_start_time"] == made["test_start_time"] == text[:13] + ":00:00"
    assert made["test_runtime"] == 3.0


def test_what_ties_measurements_together_is_not_shared() -> None:
    made = coarse(
        {
            "annotations": {"network_type": "mobile", "my_note": "from Nasrin", "platform": "linux"},
            "report_id": "r",
            "measurement_uid": "u",
            "id": "i",
        }
    )
    assert made == {
        "annotations": {"network_type": "mobile", "platform": "linux"},
        "report_id": "",
        "measurement_uid": "",
        "id": "",
    }


@pytest.mark.parametrize("unit", ["1.", "a:", "85-", "\uff11\uff0e", "::"])
def test_a_page_that_repeats_what_looks_like_an_address_costs_it_once(
    unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owns, asked = Private.owns, list[object]()

    def counted(private: Private, ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        asked.append(ip)
        return owns(private, ip)

    monkeypatch.setattr(Private, "owns", counted)
    page = unit * 3000 + V4
    assert scrub({"test_keys": {"body": page}}, PRIVATE)["test_keys"]["body"].count(SCRUBBED) == 1
    assert len(asked) < 1500
