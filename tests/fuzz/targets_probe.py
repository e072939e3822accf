"""What experiments read themselves: the log of a ``tor``, where a redirect leads, signatures in a body."""

from rozaneh.core.addresses import is_bogon
from rozaneh.diagnosis import signatures
from rozaneh.probe.experiments.tor import Bootstrap, read_log
from rozaneh.probe.experiments.web import next_endpoint
from rozaneh.probe.services import Endpoint

_PAGE = Endpoint(id="page", url="https://site.example/a/b")


def fuzz_tor_log(data: bytes) -> None:
    said = data.decode("utf-8", "replace")
    for text in (said, f"[notice] Bootstrapped {said}", f"[notice] Bootstrapped 45% (conn): {said}"):
        seen = read_log(text, Bootstrap())
        assert 0 <= seen.tor_progress <= 999
        assert len(seen.tor_version) <= 31
        assert len(seen.tor_progress_summary) <= 80


def fuzz_redirect(data: bytes) -> None:
    said = data.decode("latin-1")
    for where in (said, f"//{said}", f"http://{said}", f"https://site.example/{said}"):
        following, refused = next_endpoint(_PAGE, where, [_PAGE.url])
        assert (following is None) == bool(refused)
        if following is not None:
            assert following.url.startswith(("http://", "https://"))
            assert not (following.target.is_literal and is_bogon(following.target.host))


def fuzz_body(data: bytes) -> None:
    known = signatures()
    for body in (data, data + b"policy=MainPolicy" + data):
        found = known.in_body(body)
        assert set(found) <= {page.id for page in known.pages.values()}
    assert "ir-policy" in found
