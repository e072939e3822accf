"""Forms with files, as browsers send them and as nobody should."""

import pytest

from rozaneh.codecs.form_data import Field, boundary_of, parse
from rozaneh.core import RemoteFault

# What Chromium 140 sends for a form with a field, and a file that was chosen or was not.
_SENT = (
    b'------WebKitFormBoundaryx9\r\nContent-Disposition: form-data; name="token"\r\n\r\nabc\r\n'
    b'------WebKitFormBoundaryx9\r\nContent-Disposition: form-data; name="a"; filename="x%22.png"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n--\r\n\r\n"
    b'------WebKitFormBoundaryx9\r\nContent-Disposition: form-data; name="b"; filename=""\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n\r\n------WebKitFormBoundaryx9--\r\n"
)
_BOUNDARY = "----WebKitFormBoundaryx9"


def test_a_browsers_form() -> None:
    assert boundary_of(f"multipart/form-data; boundary={_BOUNDARY}") == _BOUNDARY
    assert parse(_SENT, _BOUNDARY) == [
        Field(name="token", value=b"abc"),
        Field(name="a", value=b"\x89PNG\r\n\x1a\n--\r\n", is_file=True),
        Field(name="b", value=b"", is_file=True),
    ]


@pytest.mark.parametrize("kind", ["text/plain", "multipart/mixed; boundary=x", "multipart/form-data; boundary=", ""])
def test_another_type_has_no_boundary(kind: str) -> None:
    assert boundary_of(kind) == ""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b--",
        _SENT[:-5],
        b"x" + _SENT,
        _SENT + b"x",
        _SENT.replace(b"form-data; name=", b"attachment; name=", 1),
        _SENT.replace(b"Content-Type: image/png", b"Content-Transfer-Encoding: base64"),
        _SENT.replace(b"Content-Type: image/png", b'Content-Disposition: form-data; name="token"'),
        _SENT.replace(b"Content-Type: image/png", b"Content-Type: " + b"x" * 3000),
        b'--%s\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' % _BOUNDARY.encode() * 17 + _SENT[-28:],
    ],
)
def test_what_no_browser_sends_is_refused(body: bytes) -> None:
    with pytest.raises(RemoteFault):
        parse(body, _BOUNDARY)
