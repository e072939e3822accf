"""One target for each parser of :mod:`rozaneh.codecs`."""

from contextlib import suppress

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt

from rozaneh.codecs import (
    certificate,
    dns,
    form_data,
    http1,
    http_connect,
    http_forward,
    shadowsocks,
    shadowsocks2022,
    shadowsocks2022_udp,
    socks4,
    socks5,
    tls,
    vless,
    websocket,
)
from rozaneh.core import RemoteFault, Spec, SpecError, Target, TargetError

_METHOD = shadowsocks.METHODS["aes-128-gcm"]


def fuzz_dns(data: bytes) -> None:
    lookup = dns.Lookup("example.org", (1, 2))
    with suppress(RemoteFault):
        lookup.receive(lookup.questions["A"][:2] + b"\x81\x80" + data)


def fuzz_certificate(data: bytes) -> None:
    certificate.certificate(data)
    certificate.certificate(bytes.fromhex("3082010030820080a003020102") + data)


def fuzz_tls_hello(data: bytes) -> None:
    with suppress(RemoteFault):
        tls.find_client_hello(data)
    with suppress(RemoteFault):
        tls.server_answer(data)


def fuzz_tls_extension(data: bytes) -> None:
    with suppress(RemoteFault):
        longer = tls.with_extension(data, 0xFE0D, b"grease")
        assert len(longer) == len(data) + 10
        tls.with_extension(longer, 1, b"")


def fuzz_tls_cutter(data: bytes) -> None:
    cutter = tls.RecordCutter(lambda _: [1])
    out = b"".join(cutter.cut(data[at : at + 1]) for at in range(len(data)))
    assert out == tls.RecordCutter(lambda _: [1]).cut(data)
    padded = tls.RecordCutter(lambda _: [1], padding=2).cut(data)
    assert padded in (out, data[:3] + b"\0\0" + data[:3] + b"\0\0" + out)


def fuzz_form_data(data: bytes) -> None:
    for begins in (b"", b'--b\r\nContent-Disposition: form-data; name="'):
        with suppress(RemoteFault):
            for field in form_data.parse(begins + data, "b"):
                assert field.name.isascii()
                assert b"\r\n--b" not in field.value
    kind = form_data.boundary_of(data.decode("latin-1"))
    assert not kind or kind in data.decode("latin-1")


def fuzz_http1(data: bytes) -> None:
    with suppress(RemoteFault):
        http1.Exchange("GET", "/", "example.org").receive(data)
    http1.title(data)
    with suppress(ValueError):
        http1.redirected("https://e.example/one", data.decode("latin-1"))


def fuzz_http_connect_client(data: bytes) -> None:
    with suppress(RemoteFault):
        http_connect.ConnectClient("example.org:443").receive(data)


def fuzz_http_connect_server(data: bytes) -> None:
    with suppress(RemoteFault):
        head = http_connect.ConnectServer().receive(data)
        if head is not None:
            _ = head.authority


def fuzz_http_forward(data: bytes) -> None:
    with suppress(RemoteFault):
        head = http_connect.ConnectServer().receive(data)
        if head is not None:
            made = http_forward.forward(head)
            again = http_connect.ConnectServer().receive(made.head)
            assert again is not None, "what is sent on is one whole request head"
            assert not again.target.startswith("http://")


def fuzz_socks4(data: bytes) -> None:
    with suppress(RemoteFault):
        socks4.request(data)


def fuzz_socks5_client(data: bytes) -> None:
    with suppress(RemoteFault):
        socks5.Client("example.org", 443, "user", "password").receive(data)


def fuzz_socks5_server(data: bytes) -> None:
    with suppress(RemoteFault):
        socks5.Server().receive(data)
    with suppress(RemoteFault):
        socks5.Server(("user", "password")).receive(data)


def fuzz_shadowsocks(data: bytes) -> None:
    with suppress(RemoteFault):
        shadowsocks.Decoder(_METHOD, bytes(16)).decode(data)
    with suppress(RemoteFault):
        method = shadowsocks2022.METHODS["2022-blake3-aes-128-gcm"]
        shadowsocks2022.Decoder(method, bytes(16), bytes(16), now=lambda: 0.0).decode(data)


def fuzz_shadowsocks2022_datagram(data: bytes) -> None:
    for name, method in shadowsocks2022.METHODS.items():
        key = bytes(method.key_size)
        ours = shadowsocks2022_udp.Association(method, [key], session=bytes(8))
        with suppress(RemoteFault):
            ours.open(data, now=0.0)
        if "chacha20" in name:
            # Whoever has the key may still say nonsense: what stands inside is read as well.
            for head in (bytes(16), bytes(16) + b"\x01" + bytes(16)):
                nonce = bytes(24)
                inside = crypto_aead_xchacha20poly1305_ietf_encrypt(head + data.ljust(19, b"\0"), None, nonce, key)
                with suppress(RemoteFault):
                    ours.open(nonce + inside, now=0.0)


def fuzz_websocket_handshake(data: bytes) -> None:
    with suppress(RemoteFault):
        websocket.Handshake("example.org", "/", key=bytes(16)).receive(data)


def fuzz_websocket_frames(data: bytes) -> None:
    for expect_mask in (True, False):
        with suppress(RemoteFault):
            whole = websocket.Frames(expect_mask=expect_mask).receive(data)
            frames = websocket.Frames(expect_mask=expect_mask)
            assert b"".join(frames.receive(data[at : at + 1]) for at in range(len(data))) == whole


def fuzz_vless_answer(data: bytes) -> None:
    with suppress(RemoteFault):
        whole = vless.Answer().receive(data)
        answer = vless.Answer()
        assert b"".join(answer.receive(data[at : at + 1]) for at in range(len(data))) == whole


def fuzz_spec(data: bytes) -> None:
    with suppress(SpecError):
        Spec.parse(data.decode("utf-8", "replace"))


def fuzz_target(data: bytes) -> None:
    with suppress(TargetError):
        Target.parse(data.decode("utf-8", "replace"))
