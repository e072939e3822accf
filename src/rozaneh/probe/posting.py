"""Asking a server by POST, as part of a measurement: what control vantages and collectors have in common."""

from rozaneh.codecs.http1 import Body, End, Head
from rozaneh.codecs.http1 import Exchange as HttpExchange
from rozaneh.core import DialFailed, Failure, Op, RemoteFault, Target
from rozaneh.net import ByteStream, Trace
from rozaneh.net.streams import receive_or_nothing

_SECONDS = 9.0


async def post(
    stream: ByteStream, trace: Trace, target: Target, body: bytes, heard: bytearray, *, longest: int
) -> None:
    """Send JSON, and read the answer.

    Args:
        stream: to the server, secured already where it has to be.
        trace: where the steps go.
        target: whom and what to ask.
        body: what to send.
        heard: filled with the body of the answer.
        longest: bytes of the answer that are read.

    Raises:
        DialFailed: there is no whole answer with status 200, or it is too long.
    """
    headers = [("Content-Type", "application/json"), ("Accept", "application/json")]
    exchange = HttpExchange("POST", target.path, target.host, headers=headers, body=body)
    async with trace.step(Op.REQUEST, peer=target.authority, deadline=_SECONDS) as step:
        await stream.send(exchange.request)
        step.sent += len(exchange.request)
    async with trace.step(Op.FIRST_BYTE, peer=target.authority, deadline=_SECONDS) as step:
        ended = False
        while not ended:
            data = await receive_or_nothing(stream)
            step.received += len(data)
            try:
                events = exchange.receive(data)
            except RemoteFault as fault:
                raise DialFailed(Failure.HTTP_REQUEST_FAILED, str(fault)) from fault
            for event in events:
                if isinstance(event, Head) and event.status != 200:
                    step.tag(status=event.status)
                    raise DialFailed(Failure.HTTP_UNEXPECTED_STATUS_CODE, f"the answer is {event.status}")
                if isinstance(event, Body):
                    heard += event.data
                ended = ended or isinstance(event, End)
            if len(heard) > longest:
                raise DialFailed(Failure.HTTP_REQUEST_FAILED, "the answer is too long")
