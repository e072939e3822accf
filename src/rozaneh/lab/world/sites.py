"""What the web sites of the lab answer. No input or output: a request and who asks in, a response out."""

import html
import re
from urllib.parse import parse_qs, urlsplit

from rozaneh.lab.topology import Service
from rozaneh.lab.world.directory import option_flag, option_number, option_text
from rozaneh.lab.world.http import Request, Response

LARGEST_FILLER = 50_000_000
_MOST_WAIT = 60.0
_HEAD_OF = re.compile(r"bytes=0-([0-9]{1,8})")


def block_page() -> Response:
    """The page that Iran's forged answers lead to: 403 with an iframe (OONI's fingerprints; net4people/bbs#226)."""
    body = (
        '<html><head><meta http-equiv="Content-Type" content="text/html; charset=windows-1256"><title>M5-6\r\n'
        '</title></head><body><iframe src="http://10.10.34.35:80?type=Invalid Site&policy=MainPolicy " '
        'style="width: 100%; height: 100%" scrolling="no" marginwidth="0" marginheight="0" frameborder="0" '
        'vspace="0" hspace="0"></iframe></body></html>\r\n\r\n'
    )
    return Response(status=403, body=body.encode("latin-1"), content="text/html", close=True)


def page(site: Service, request: Request, *, peer: str, secure: bool, in_country: bool) -> Response:
    """What a web site answers.

    Args:
        site: the service that the request reached.
        request: what was asked.
        peer: the asker's address.
        secure: whether the request came over TLS or QUIC.
        in_country: whether that address belongs to the censoring country.
    """
    name = request.host or (site.names[0] if site.names else site.addresses[0])
    refuse = option_text(site, "refuse")
    if refuse and in_country:
        return _refusal(refuse, name, request.path, peer)
    if option_flag(site, "redirect", otherwise=False) and not secure:
        return _moved(f"https://{name}{request.path}")
    response = _content(name, request, peer)
    return Response(
        status=response.status,
        body=response.body,
        content=response.content,
        headers=response.headers,
        filler=response.filler,
        wait=max(response.wait, option_number(site, "first_byte_ms") / 1000),
        rate=option_number(site, "rate") or response.rate,
    )


def _letters(size: int, wanted: str) -> Response:
    """So many letters, or the first of them where the head of the content is asked for (RFC 9110, section 14.2)."""
    content = "application/octet-stream"
    head = _HEAD_OF.fullmatch(wanted)
    if head is None or not size:
        return Response(filler=size, content=content)
    last = min(int(head[1]), size - 1)
    return Response(
        status=206, filler=last + 1, content=content, headers=(("Content-Range", f"bytes 0-{last}/{size}"),)
    )


def _content(name: str, request: Request, peer: str) -> Response:
    parts = urlsplit(request.path)
    first, _, rest = parts.path.lstrip("/").partition("/")
    if first == "bytes" and rest.isascii() and rest.isdigit() and int(rest[:9]) <= LARGEST_FILLER and len(rest) < 9:
        return _letters(int(rest), "" if parts.query == "whole" else request.headers.get("range", ""))
    if parts.path == "/cdn-cgi/trace":
        return Response(body=f"h={name}\nip={peer}\nts=1\n".encode(), content="text/plain")
    if first == "generate_204":
        return Response(status=204)
    if first == "status" and rest.isascii() and rest.isdigit() and 200 <= int(rest[:3]) <= 599 and len(rest) == 3:
        return Response(status=int(rest), body=_marker(name, request.path, peer))
    if first == "slow":
        seconds = parse_qs(parts.query).get("seconds", ["3"])[0]
        return Response(body=_marker(name, request.path, peer), wait=min(_number(seconds), _MOST_WAIT))
    if first == "redirect":
        return _moved(parse_qs(parts.query).get("to", [f"https://{name}/"])[0])
    return Response(body=_marker(name, request.path, peer))


def _number(text: str) -> float:
    return float(text) if text.isascii() and text.replace(".", "", 1).isdigit() else 0.0


def _moved(where: str) -> Response:
    clean = "".join(c for c in where if c.isprintable() and c.isascii())
    return Response(status=302, headers=(("Location", clean),), body=b"moved\n")


def _marker(name: str, path: str, peer: str) -> bytes:
    shown = html.escape(name)
    text = (
        f"<!doctype html>\n<html><head><title>rozaneh lab: {shown}</title></head>\n"
        f"<body><h1>rozaneh lab: {shown}</h1>\n<p>path {html.escape(path[:200])}</p>\n<p>your address {peer}</p>\n"
    )
    filling = "".join(f"<p>{shown}, paragraph {number}: the quick brown fox.</p>\n" for number in range(1, 25))
    return f"{text}{filling}</body></html>\n".encode()


def _refusal(form: str, name: str, path: str, peer: str) -> Response:
    """A refusal by the far end because of where the asker is, in the form that large providers use."""
    if form == "451":
        body = (
            "<!doctype html><html><head><title>451 Unavailable For Legal Reasons</title></head><body>"
            f"<h1>Unavailable For Legal Reasons</h1><p>{html.escape(name)} is not available in your country.</p>"
            "</body></html>\n"
        )
        return Response(status=451, body=body.encode())
    body = (
        "<!DOCTYPE html><html lang=en><title>Error 403 (Forbidden)!!1</title>"
        "<p><b>403.</b> <ins>That\u2019s an error.</ins>"
        f"<p>Your client does not have permission to get URL <code>{html.escape(path[:200])}</code> from this server. "
        f"(Client IP address: {peer})<br><br>This service is not available in your country. "
        "<ins>That\u2019s all we know.</ins></html>\n"
    )
    return Response(status=403, body=body.encode())
