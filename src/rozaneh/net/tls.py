"""A TLS handshake as a step of an attempt, over any stream."""

import hashlib
import ssl
from collections.abc import Sequence

import anyio
from anyio.streams.tls import TLSAttribute, TLSStream
from cryptography import x509
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address

from rozaneh.codecs.certificate import certificate as read_certificate
from rozaneh.core import DialFailed, Failure, Op
from rozaneh.core.target import is_ip
from rozaneh.net.api import ByteStream
from rozaneh.net.trace import Step, Trace
from rozaneh.net.trust import Trust


class _Secured(TLSStream):
    """Python's TLS cannot end one direction alone: what its ``unwrap`` says ends both."""

    async def send_eof(self) -> None:
        """Nothing is said; the other end learns of it when the connection is closed."""
        await anyio.lowlevel.checkpoint()


async def start_tls(
    stream: ByteStream,
    trace: Trace,
    trust: Trust,
    server_name: str,
    *,
    peer: str = "",
    verify: bool = True,
    alpn: Sequence[str] = (),
    sni: str | None = None,
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
        sni: a name to ask for in place of ``server_name``, which the certificate must have all the same; empty asks for
            none.

    Raises:
        DialFailed: the handshake failed.
    """
    context = trust.context(verify=verify, alpn=alpn, check_name=sni is None)
    asked = server_name if sni is None else sni
    async with trace.step(Op.TLS, peer=peer, sni=asked, verified=False) as step:
        # Many servers close without TLS's own goodbye; what ends a response is up to the protocol inside.
        try:
            secured = await _Secured.wrap(
                stream, hostname=asked or None, ssl_context=context, server_side=False, standard_compatible=False
            )
            if verify and sni is not None:
                await _check_name(secured, server_name)
        except ssl.SSLError as error:
            # Whether the server declined with an alert or somebody sent bytes that are no TLS is told by this alone.
            step.tag(reason=error.reason or "")
            raise
        _tag(step, secured, verify=verify)
    return secured


async def _check_name(secured: TLSStream, name: str) -> None:
    """Find a name, or an IP address, in the certificate of a server that was asked for another one.

    Raises:
        DialFailed: it is not there.
    """
    shown = secured.extra(TLSAttribute.ssl_object).getpeercert(binary_form=True)
    try:
        certificate = x509.load_der_x509_certificate(shown or b"")
        if is_ip(name):
            verify_certificate_ip_address(certificate, name)
        else:
            verify_certificate_hostname(certificate, name)
    except (VerificationError, CertificateError, ValueError, TypeError, x509.InvalidVersion) as error:
        await anyio.aclose_forcefully(secured)
        raise DialFailed(Failure.SSL_INVALID_HOSTNAME, f"the certificate is not for {name}") from error


def _tag(step: Step, secured: TLSStream, *, verify: bool) -> None:
    shaken = secured.extra(TLSAttribute.ssl_object)
    step.tag(version=shaken.version() or "", alpn=shaken.selected_alpn_protocol() or "", verified=verify)
    certificate = shaken.getpeercert(binary_form=True)
    if certificate:
        tag_certificate(step, certificate)


def tag_certificate(step: Step, certificate: bytes) -> None:
    """Tag a step with what a certificate (DER) says about itself; one that cannot be read keeps its digest alone."""
    step.tag(certificate_sha256=hashlib.sha256(certificate).hexdigest())
    read = read_certificate(certificate)
    if read is not None:
        step.tag(issuer=read.issuer[:300], subject=read.subject[:300])
