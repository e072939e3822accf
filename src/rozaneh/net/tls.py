"""A TLS handshake as a step of an attempt, over any stream."""

import hashlib
import ssl
from collections.abc import Sequence

from anyio.streams.tls import TLSAttribute, TLSStream
from cryptography import x509

from rozaneh.core import Op
from rozaneh.net.api import ByteStream
from rozaneh.net.trace import Step, Trace
from rozaneh.net.trust import Trust


async def start_tls(
    stream: ByteStream,
    trace: Trace,
    trust: Trust,
    server_name: str,
    *,
    peer: str = "",
    verify: bool = True,
    alpn: Sequence[str] = (),
) -> ByteStream:
    """Shake hands, as a step TLS that is tagged with what the server showed.

    The ClientHello leaves in one ``send`` to the stream below, so that a way which cuts the first flight sees it whole.

    Args:
        stream: what to speak over.
        trace: where the step goes.
        trust: whom to believe.
        server_name: the name to ask for and, with ``verify``, to find in the certificate. An IP address is not sent.
        peer: ``address:port``, for the record.
        verify: whether to check the certificate. When it fails its check, what it says is not recorded: dial again
            without verifying to see it.
        alpn: the protocols to offer.

    Raises:
        DialFailed: the handshake failed.
    """
    context = trust.context(verify=verify, alpn=alpn)
    async with trace.step(Op.TLS, peer=peer, sni=server_name, verified=False) as step:
        # Many servers close without TLS's own goodbye; what ends a response is up to the protocol inside.
        try:
            secured = await TLSStream.wrap(
                stream, hostname=server_name, ssl_context=context, server_side=False, standard_compatible=False
            )
        except ssl.SSLError as error:
            # Whether the server declined with an alert or somebody sent bytes that are no TLS is told by this alone.
            step.tag(reason=error.reason or "")
            raise
        _tag(step, secured, verify=verify)
    return secured


def _tag(step: Step, secured: TLSStream, *, verify: bool) -> None:
    shaken = secured.extra(TLSAttribute.ssl_object)
    step.tag(version=shaken.version() or "", alpn=shaken.selected_alpn_protocol() or "", verified=verify)
    certificate = shaken.getpeercert(binary_form=True)
    if certificate:
        tag_certificate(step, certificate)


def tag_certificate(step: Step, certificate: bytes) -> None:
    """Tag a step with what a certificate (DER) says about itself; one that cannot be read keeps its digest alone."""
    step.tag(certificate_sha256=hashlib.sha256(certificate).hexdigest())
    try:
        read = x509.load_der_x509_certificate(certificate)
        step.tag(issuer=read.issuer.rfc4514_string()[:300], subject=read.subject.rfc4514_string()[:300])
    except ValueError:
        return
