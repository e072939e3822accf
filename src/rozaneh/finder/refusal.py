"""Why there is no connection, in a form that can be told to a person and to a client."""

import msgspec

from rozaneh.core import Failure


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """No way led to the target.

    Attributes:
        failure: how the attempt failed that says most about the target.
        obstacle: what seems to block it, as the diagnosis names it.
        tried: how many ways were tried.
        needs_upstream: whether only a server abroad could help and the user has given none.
        retry_after: seconds until another search makes sense.
        told: bytes that the server itself seems to have answered, which the client may see.
    """

    failure: Failure = Failure.UNKNOWN_FAILURE
    obstacle: str = "unknown"
    tried: int = 0
    needs_upstream: bool = False
    retry_after: float = 0.0
    told: bytes = b""
