"""Proxy auto-configuration: the file that tells browsers to send everything through the gateway. Pure.

It names no destination and ends in no ``DIRECT``: when the gateway is gone, browsers say so instead of going around it.
Places on this machine and its network are not the gateway's business.
"""

PATHS = ("/proxy.pac", "/wpad.dat")

_SCRIPT = """function FindProxyForURL(url, host) {{
  if (isPlainHostName(host) || host === "127.0.0.1" || host === "[::1]" || dnsDomainIs(host, ".local")) return "DIRECT";
  return "SOCKS5 {place}; PROXY {place}";
}}
"""


def script(place: str) -> str:
    """The file.

    Args:
        place: ``address:port`` of the gateway.
    """
    return _SCRIPT.format(place=place)


def answer(place: str) -> bytes:
    """The file as an HTTP response."""
    body = script(place).encode("ascii")
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-ns-proxy-autoconfig\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
