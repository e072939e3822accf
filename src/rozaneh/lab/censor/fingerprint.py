"""JA3 and JA4 of a ClientHello, as published by Salesforce (2017) and FoxIO (2023)."""

import hashlib

from rozaneh.lab.censor.parse_tls import Hello, is_grease

_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3"}


def ja3(hello: Hello) -> str:
    """The JA3 digest: MD5 over version, ciphers, extensions, groups and point formats in order, without GREASE."""
    parts = [
        str(hello.legacy_version),
        *(
            "-".join(str(number) for number in numbers if not is_grease(number))
            for numbers in (hello.ciphers, hello.extensions, hello.groups)
        ),
        "-".join(map(str, hello.formats)),
    ]
    return hashlib.md5(",".join(parts).encode(), usedforsecurity=False).hexdigest()


def ja4(hello: Hello) -> str:
    """The JA4 text: counts in clear, then digests over sorted ciphers and extensions with signature algorithms."""
    ciphers = sorted(f"{number:04x}" for number in hello.ciphers if not is_grease(number))
    extensions = [number for number in hello.extensions if not is_grease(number)]
    hashed = sorted(f"{number:04x}" for number in extensions if number not in (0, 16))
    algorithms = [f"{number:04x}" for number in hello.algorithms if not is_grease(number)]
    alpn = hello.alpn[0] if hello.alpn else ""
    ends = (alpn[0] + alpn[-1]) if alpn and alpn[0].isalnum() and alpn[-1].isalnum() else "00"
    head = (
        ("q" if hello.over_quic else "t")
        + _VERSIONS.get(hello.version, "00")
        + ("d" if 0 in extensions else "i")
        + f"{min(len(ciphers), 99):02}{min(len(extensions), 99):02}"
        + ends
    )
    second = ",".join(hashed) + ("_" + ",".join(algorithms) if algorithms else "")
    return f"{head}_{_short(','.join(ciphers))}_{_short(second)}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12
