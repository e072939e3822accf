"""Certificates made when first asked for, under the lab's own authority."""

import ssl
from collections import OrderedDict
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

from rozaneh.core import RemoteFault

_MOST_CONTEXTS = 1024


class Authority:
    """One certificate authority and the TLS contexts of its servers.

    Keys are ECDSA, which costs a handshake well under a millisecond.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._ca = trustme.CA(organization_name=title, key_type=trustme.KeyType.ECDSA)
        self._contexts: OrderedDict[tuple[str, ...], ssl.SSLContext] = OrderedDict()

    @property
    def certificate(self) -> bytes:
        """What a client must trust, as PEM."""
        return self._ca.cert_pem.bytes()

    def client_context(self) -> ssl.SSLContext:
        """For clients that trust this authority alone."""
        return ssl.create_default_context(cadata=self.certificate.decode())

    def context(self, names: tuple[str, ...]) -> ssl.SSLContext:
        """A server's context with a certificate for exactly these names and addresses.

        Raises:
            RemoteFault: no certificate can be made for such a name.
        """
        found = self._contexts.get(names)
        if found is not None:
            self._contexts.move_to_end(names)
            return found
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.set_alpn_protocols(["http/1.1"])
        self._issue(names).configure_cert(made)
        self._contexts[names] = made
        if len(self._contexts) > _MOST_CONTEXTS:
            self._contexts.popitem(last=False)
        return made

    def write_pair(self, names: tuple[str, ...], certificate: Path, key: Path) -> None:
        """Write a chain and its key as files; the key as PKCS8, which is all that aioquic reads."""
        leaf = self._issue(names)
        certificate.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
        private = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
        key.touch(mode=0o600)
        key.write_bytes(
            private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def _issue(self, names: tuple[str, ...]) -> trustme.LeafCert:
        try:
            return self._ca.issue_cert(
                *names,
                common_name=names[0][:64],
                organization_name=f"{self._title} site",
                key_type=trustme.KeyType.ECDSA,
            )
        except (ValueError, UnicodeError) as error:
            raise RemoteFault(f"no certificate can be made for {names[0][:80]!r}") from error
