"""Records of older versions of Web Connectivity, brought to the shape of version 0.5.

Before 0.5 a record said neither to which lookup or connection it belonged, nor how many redirects had gone before. What
can be told from order and names is added here, in the words of 0.5, so that one flattener and one set of rules read
both: lookups of the input's name and all connections came first (depth 0); requests are listed newest first, and each
had a connection of its own.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from rozaneh.ooni import values
from rozaneh.ooni.records import Handshake, HttpTransaction, TcpConnect, TcpStatus
from rozaneh.ooni.webkeys import WebKeys

_MADE_UP = 1 << 20
"""Transaction ids from here on are ours; OONI's stay far below."""


def modern(keys: WebKeys) -> WebKeys:
    """The keys in the shape of version 0.5. Those that have it are returned as they are."""
    if keys.control is not None and keys.control_failure is not None:
        # Old probes wrote an answer full of zeros where the helper gave none.
        keys = replace(keys, control=None)
    if _has_depth(keys):
        return keys
    connects = [
        replace(connect, transaction_id=_MADE_UP + index, tags=["depth=0", "fetch_body=true"])
        for index, connect in enumerate(keys.tcp_connect or ())
    ]
    requests = list(_requests(keys))
    carriers = [
        TcpConnect(ip=_host(request), port=0, status=TcpStatus(success=True), tags=request.tags,
                   transaction_id=request.transaction_id)
        for request in requests
    ]  # fmt: skip
    secured = [
        Handshake(tags=request.tags, transaction_id=request.transaction_id)
        for request in requests
        if _url(request).lower().startswith("https:") and request.failure is None
    ]
    queries = [
        replace(query, transaction_id=2 * _MADE_UP + index, tags=["depth=0"])
        for index, query in enumerate(keys.queries or ())
    ]
    return replace(
        keys,
        queries=queries,
        tcp_connect=connects + carriers,
        tls_handshakes=secured,
        requests=requests,
    )


def _has_depth(keys: WebKeys) -> bool:
    records = (*(keys.queries or ()), *(keys.tcp_connect or ()), *(keys.requests or ()))
    return any(values.depth(record.tags) is not None for record in records) or not records


def _requests(keys: WebKeys) -> Iterator[HttpTransaction]:
    """The requests that say something of their own.

    One that failed because no name resolved, or no address could be connected to, only repeats what the lookups or the
    connections say.
    """
    connects = keys.tcp_connect or ()
    unconnected = bool(connects) and all(connect.failure is not None for connect in connects)
    unresolved = bool(keys.queries) and all(query.failure is not None for query in keys.queries or ())
    listed = keys.requests or ()
    for index, request in enumerate(listed):
        first = index == len(listed) - 1
        if request.failure is not None and first and (unconnected or unresolved):
            continue
        depth = len(listed) - 1 - index
        yield replace(request, tags=[f"depth={depth}", "fetch_body=true"], transaction_id=3 * _MADE_UP + index)


def _url(request: HttpTransaction) -> str:
    return (request.request.url if request.request else None) or ""


def _host(request: HttpTransaction) -> str:
    return request.address or ""
