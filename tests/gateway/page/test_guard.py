"""Who may see the page: every way in that another page or another user has."""

import pytest

from rozaneh.gateway.page.guard import COOKIE, TOKEN, Admitted, Guard, Turned
from rozaneh.gateway.page.request import Request

PLACE = "127.0.0.1:8080"


def request(method: str, path: str, *more: tuple[str, str], host: str = PLACE, **form: str) -> Request:
    return Request(method=method, path=path, headers=(("host", host), *more), form=form)


def let_in(guard: Guard) -> tuple[tuple[str, str], str]:
    """The header and the token of a browser that followed a link."""
    admitted = guard.judge(request("GET", guard.link().removeprefix(f"http://{PLACE}")))
    assert isinstance(admitted, Admitted)
    assert admitted.cookie.endswith(f"; Path={guard.path}; HttpOnly; SameSite=Strict")
    return ("cookie", admitted.cookie.partition(";")[0]), admitted.session.token


def test_a_link_lets_one_browser_in_once() -> None:
    guard = Guard(PLACE)
    link = guard.link().removeprefix(f"http://{PLACE}")
    assert isinstance(guard.judge(request("GET", link)), Admitted)
    assert isinstance(guard.judge(request("GET", link)), Turned)
    assert isinstance(guard.judge(request("GET", f"{guard.path}open/")), Turned)
    assert isinstance(guard.judge(request("POST", guard.link().removeprefix(f"http://{PLACE}"))), Turned)


def test_without_its_cookie_nothing_is_shown_and_a_foreign_one_beside_it_does_not_lock_out() -> None:
    guard = Guard(PLACE)
    (_, cookie), _ = let_in(guard)
    page = f"{guard.path}en/status"
    assert isinstance(guard.judge(request("GET", page)), Turned)
    assert isinstance(guard.judge(request("GET", page, ("cookie", f"{COOKIE}=x"))), Turned)
    assert isinstance(guard.judge(request("GET", page, ("cookie", f"{COOKIE}=x; a=b; {cookie}"))), Admitted)
    assert isinstance(guard.judge(request("GET", "/en/status", ("cookie", cookie))), Turned), "its path is part of it"
    guard.forget()
    assert isinstance(guard.judge(request("GET", page, ("cookie", cookie))), Turned)


@pytest.mark.parametrize(
    "host",
    [
        "localhost:8080", "127.0.0.1", "127.0.0.1:8081", "127.0.0.1.evil.com:8080", "127.evil:8080", "[::1].evil:8080",
        "localhost.evil:8080", "evil.example", "127.0.0.1:8080.evil.com", "", "127.1:8080", "2130706433:8080",
    ],
)  # fmt: skip
def test_a_name_that_was_made_to_point_here_is_refused(host: str) -> None:
    guard = Guard(PLACE)
    cookie, _ = let_in(guard)
    turned = guard.judge(request("GET", f"{guard.path}en/status", cookie, host=host))
    assert isinstance(turned, Turned)
    assert turned.status == 421


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://127.0.0.1:8081", f"https://{PLACE}", ""])
def test_another_page_can_send_no_form_even_with_the_cookie_and_the_token(origin: str) -> None:
    guard = Guard(PLACE)
    cookie, token = let_in(guard)
    path = f"{guard.path}en/wipe"
    own = ("origin", f"http://{PLACE}")
    assert isinstance(guard.judge(request("POST", path, cookie, ("origin", origin), **{TOKEN: token})), Turned)
    assert isinstance(guard.judge(request("POST", path, cookie, own, ("origin", origin), **{TOKEN: token})), Turned)
    assert isinstance(guard.judge(request("POST", path, cookie, **{TOKEN: token})), Turned), "none at all"
    assert isinstance(guard.judge(request("POST", path, cookie, own, **{TOKEN: token[:-1]})), Turned)
    assert isinstance(guard.judge(request("POST", path, cookie, own)), Turned)
    assert isinstance(guard.judge(request("POST", path, cookie, own, **{TOKEN: token})), Admitted)


@pytest.mark.parametrize(
    "says",
    [
        (("sec-fetch-site", "cross-site"),),
        (("sec-fetch-site", "same-site"),),
        (("sec-fetch-site", "same-origin"), ("sec-fetch-dest", "iframe")),
        (("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")),
        (("sec-fetch-dest", "script"),),
        (("sec-fetch-dest", "image"),),
        (("sec-fetch-dest", "empty"), ("sec-fetch-mode", "websocket")),
    ],
)
def test_what_a_browser_says_of_who_asks_is_believed(says: tuple[tuple[str, str], ...]) -> None:
    guard = Guard(PLACE)
    cookie, _ = let_in(guard)
    assert isinstance(guard.judge(request("GET", f"{guard.path}en/status", cookie, *says)), Turned)


def test_what_is_remembered_is_bounded() -> None:
    guard = Guard(PLACE)
    first = guard.link().removeprefix(f"http://{PLACE}")
    cookies = [let_in(guard)[0] for _ in range(20)]
    page = f"{guard.path}en/status"
    assert isinstance(guard.judge(request("GET", page, cookies[0])), Turned)
    assert isinstance(guard.judge(request("GET", page, cookies[-1])), Admitted)
    for _ in range(8):
        guard.link()
    assert isinstance(guard.judge(request("GET", first)), Turned)
