"""Whom to believe about certificates."""

import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from rozaneh.core import LocalFault
from rozaneh.words import later


@dataclass(frozen=True)
class Trust:
    """A set of certificate authorities, and the TLS contexts made from it.

    Attributes:
        ca_file: a PEM file that holds the only authorities to believe; none for those of this system.
        flags: further flags of OpenSSL's verification.
    """

    ca_file: str | None = None
    flags: ssl.VerifyFlags = ssl.VerifyFlags.VERIFY_DEFAULT
    _contexts: dict[tuple[bool, tuple[str, ...], bool], ssl.SSLContext] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def system(cls) -> Self:
        """The authorities of this system, or of the file that ``SSL_CERT_FILE`` names."""
        return cls(os.environ.get("SSL_CERT_FILE") or None)

    @classmethod
    def with_ca(cls, pem_path: str | os.PathLike[str], flags: ssl.VerifyFlags = ssl.VerifyFlags.VERIFY_DEFAULT) -> Self:
        """The authorities of one PEM file and no others."""
        return cls(os.fspath(pem_path), flags)

    def context(self, *, verify: bool = True, alpn: Sequence[str] = (), check_name: bool = True) -> ssl.SSLContext:
        """A client's TLS context. Contexts are kept, because reading the authorities takes milliseconds.

        Args:
            verify: whether certificate and name are checked. Only a measurement that wants to see what a censor shows
                may turn this off.
            alpn: the protocols to offer, in order of preference.
            check_name: whether the name asked for must stand in the certificate; else the caller checks one.

        Raises:
            LocalFault: the authorities cannot be read, or there are none.
        """
        key = (verify, tuple(alpn), check_name)
        if key not in self._contexts:
            self._contexts[key] = self._make(verify=verify, alpn=alpn)
            if not check_name:
                self._contexts[key].check_hostname = False
        return self._contexts[key]

    def locations(self) -> tuple[str | None, str | None]:
        """The file and the folder of PEM certificates, for TLS that is not OpenSSL's."""
        if self.ca_file is not None:
            return self.ca_file, None
        paths = ssl.get_default_verify_paths()
        return paths.cafile, paths.capath

    def _make(self, *, verify: bool, alpn: Sequence[str]) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise LocalFault(
                later(
                    "cannot read the certificate authorities in {ca_file}: {error}", ca_file=self.ca_file, error=error
                )
            ) from error
        if verify and self.ca_file is None and not _system_has_authorities():
            raise LocalFault(
                later(
                    "this system has no certificate authorities: install the package ca-certificates, or name "
                    "a PEM file in SSL_CERT_FILE"
                )
            )
        context.verify_flags |= self.flags
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context


def _system_has_authorities() -> bool:
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile) or bool(paths.capath and any(Path(paths.capath).iterdir()))
