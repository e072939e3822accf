"""Is the page that came the page that should have come? Four comparisons, as OONI makes them.

Source: ooni/spec, ts-017-web-connectivity; ooni/probe-cli, ``internal/minipipeline``, version 0.5 of the test.
"""

import msgspec

from rozaneh.ooni.observations import Page

_ALIKE = 0.7
_LONG_WORD = 5
_COMMON_HEADERS = frozenset(
    (
        "accept-ranges", "age", "cache-control", "cf-ray", "content-encoding", "content-language", "content-type",
        "date", "etag", "expires", "last-modified", "link", "location", "p3p", "pragma", "server", "set-cookie",
        "strict-transport-security", "vary", "via", "x-content-type-options", "x-frame-options", "x-powered-by",
        "x-varnish", "x-xss-protection",
    )
)  # fmt: skip
"""Headers that any server may send: that two answers share one of these says nothing."""


class HttpDiff(msgspec.Struct, frozen=True, kw_only=True):
    """The comparisons; none where there was nothing to compare."""

    body_proportion: float = 0.0
    body_length_match: bool | None = None
    headers_match: bool | None = None
    status_code_match: bool | None = None
    title_match: bool | None = None

    @property
    def differs(self) -> bool:
        """Whether the page is another one: the status must agree, and one thing more."""
        more = (self.body_length_match, self.headers_match, self.title_match)
        return self.status_code_match is not True or True not in more


def compare(page: Page, control: Page | None) -> HttpDiff:
    """Compare a final answer with what the helper got.

    Args:
        page: the answer.
        control: none where the helper failed to fetch the page.
    """
    if control is None:
        return HttpDiff()
    proportion = _proportion(page, control)
    answered = control.status > 0
    return HttpDiff(
        body_proportion=proportion or 0.0,
        body_length_match=None if proportion is None else proportion > _ALIKE,
        headers_match=bool(_uncommon(page) & _uncommon(control)) if answered else None,
        status_code_match=_statuses(page.status, control.status) if answered else None,
        title_match=_long_words(page.title) == _long_words(control.title) if answered else None,
    )


def _proportion(page: Page, control: Page) -> float | None:
    if page.truncated or page.length <= 0 or control.length <= 0:
        return None
    return min(page.length, control.length) / max(page.length, control.length)


def _statuses(status: int, control: int) -> bool | None:
    if status != control and control // 100 != 2:
        return None  # the helper's own trouble
    return status == control


def _uncommon(page: Page) -> frozenset[str]:
    return frozenset(name.lower() for name in page.headers) - _COMMON_HEADERS


def _long_words(title: str) -> frozenset[str]:
    # The length is that of the UTF-8 form, so that three letters of Persian are a word, and five of English.
    return frozenset(word.lower() for word in title.split(" ") if len(word.encode()) >= _LONG_WORD)
