"""Who may see the status page. Pure; what is random is passed in for tests.

Against other web pages: ``Host`` must be the very address that is listened on, so that no name can be made to point
here; ``Origin`` and ``Sec-Fetch-Site``, where a browser sends them, must be the page's own; a form also holds a token
that only the page knows. Against other users of this machine, who can reach every port of the loopback: a cookie, given
once for a code that only this user can ask the gateway for.

A cookie does not know about ports, so a server of somebody else on another port of the same address would be sent it.
That is why its path is a random name: a browser sends it nowhere else, and the name alone opens nothing.
"""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from rozaneh.gateway.page.notes import Note
from rozaneh.gateway.page.request import Request

__all__ = ["COOKIE", "TOKEN", "Admitted", "Guard", "Session", "Turned"]

COOKIE = "rozaneh"
TOKEN = "token"  # noqa: S105 - the name of a field
_BYTES = 18
_MOST_CODES = 8
_MOST_SESSIONS = 8
_MOST_COOKIES = 64


class Session(msgspec.Struct):
    """One browser that was let in.

    Attributes:
        token: what its forms hold.
        said: what it is to be told once, on the next page.
    """

    token: str
    said: tuple[Note, ...] = ()


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """It may have what it asks for.

    Attributes:
        session: whose request it is.
        page: the rest of the path, as in ``fa/add``.
        cookie: to be set; empty for a browser that has one.
    """

    session: Session
    page: str
    cookie: str = ""


class Turned(msgspec.Struct, frozen=True, kw_only=True):
    """It may not.

    Attributes:
        status: of the answer.
        reason: one line; it says nothing about what there would be.
    """

    status: int
    reason: str


class Guard:
    """Judges requests.

    Args:
        place: ``address:port`` that is listened on.
        fresh: makes names and tokens.
    """

    def __init__(self, place: str, fresh: Callable[[], str] = lambda: secrets.token_urlsafe(_BYTES)) -> None:
        self._place = place
        self._fresh = fresh
        self._name = fresh()
        self._codes: OrderedDict[str, None] = OrderedDict()
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    @property
    def path(self) -> str:
        """Below which everything is."""
        return f"/{self._name}/"

    def link(self) -> str:
        """An address that lets one browser in, once."""
        code = self._fresh()
        self._codes[code] = None
        while len(self._codes) > _MOST_CODES:
            self._codes.popitem(last=False)
        return f"http://{self._place}{self.path}open/{code}"

    def judge(self, request: Request) -> Admitted | Turned:
        """Whether a request may have what it asks for."""
        page = request.path.removeprefix(self.path)
        opens = request.method == "GET" and page.startswith("open/")
        turned = self._against(request, opens=opens)
        if turned is not None:
            return turned
        if opens:
            return self._open(page.removeprefix("open/"))
        session = self._session(request)
        if session is None:
            return Turned(status=403, reason="open this page by a fresh link: rozaneh status --page")
        if request.method == "POST" and not (request.all("origin") and _same(request.form.get(TOKEN, ""), session)):
            return Turned(status=403, reason="this form is not of this page, or too old")
        return Admitted(session=session, page=page)

    def sends_to(self, head: Request) -> str:
        """To which page a browser that was let in begins to send a form, by the head of its request alone.

        The form's token comes with its body; until that is there nothing may be done but to read it.

        Returns:
            The rest of the path, as in ``fa/add``; empty for anybody else.
        """
        if head.method != "POST" or not head.all("origin") or self._against(head, opens=False) is not None:
            return ""
        return head.path.removeprefix(self.path) if self._session(head) is not None else ""

    def _against(self, request: Request, *, opens: bool) -> Turned | None:
        """What there is against a request, whoever sends it."""
        if request.all("host") != [self._place]:
            return Turned(status=421, reason="this is not the address of this page")
        if any(origin != f"http://{self._place}" for origin in request.all("origin")):
            return Turned(status=403, reason="another page may not ask for this")
        if not request.path.startswith(self.path):
            return Turned(status=404, reason="nothing is here")
        if not _asked_by_a_person(request, opens=opens):
            return Turned(status=403, reason="another page may not ask for this")
        return None

    def forget(self) -> None:
        """Let nobody in any more who was let in until now."""
        self._sessions.clear()
        self._codes.clear()

    def _open(self, code: str) -> Admitted | Turned:
        known = next((each for each in self._codes if hmac.compare_digest(each.encode(), code.encode())), None)
        if known is None:
            return Turned(status=403, reason="this link was used already, ask for another: rozaneh status --page")
        del self._codes[known]
        key = self._fresh()
        session = self._sessions[key] = Session(self._fresh())
        while len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        cookie = f"{COOKIE}={key}; Path={self.path}; HttpOnly; SameSite=Strict"
        return Admitted(session=session, page="open", cookie=cookie)

    def _session(self, request: Request) -> Session | None:
        """Whose cookie it is. Another server of this address can add cookies; ours among several is enough."""
        for given in request.all("cookie"):
            for key in _cookies(given):
                for known, session in self._sessions.items():
                    if hmac.compare_digest(known.encode(), key.encode()):
                        return session
        return None


def _asked_by_a_person(request: Request, *, opens: bool) -> bool:
    """Whether a browser says that its user went here, or that this page itself did; the link may stand anywhere."""
    site, into = request.all("sec-fetch-site"), request.all("sec-fetch-dest")
    if into not in ([], ["document"]):
        return False
    allowed = ["none", "same-origin", "cross-site"] if opens else ["none", "same-origin"]
    return not site or (len(site) == 1 and site[0] in allowed)


def _cookies(header: str) -> list[str]:
    """The values of our cookie in a header."""
    pairs = (part.strip().partition("=") for part in header.split(";")[:_MOST_COOKIES])
    return [value for name, _, value in pairs if name == COOKIE]


def _same(given: str, session: Session) -> bool:
    return hmac.compare_digest(given.encode(), session.token.encode())
