"""Choose the program and print its outcome."""

import argparse
import errno
import socket
import ssl
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from urllib.parse import urlsplit

_WORDS: Mapping[int, str] = MappingProxyType(
    {
        errno.ECONNRESET: "connection_reset",
        errno.EPIPE: "connection_reset",
        errno.ECONNREFUSED: "connection_refused",
        errno.ECONNABORTED: "connection_aborted",
        errno.EHOSTUNREACH: "host_unreachable",
        errno.EACCES: "host_unreachable",
        errno.ENETUNREACH: "network_unreachable",
        errno.ETIMEDOUT: "generic_timeout_error",
    }
)
_MISMATCH = (62, 64)
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)

PROGRAMS = ("dns", "h3", "hello", "icmp", "lone-hello", "python", "raw", "traceroute", "udp", "upload")


def main(arguments: list[str]) -> int:
    """Run one program; exit 0 where it could say an outcome."""
    name = arguments[0] if arguments else ""
    if name not in PROGRAMS:
        sys.stderr.write(f"expected one of {', '.join(PROGRAMS)}; got {name!r}\n")
        return 2
    module = import_module(f"rozaneh.lab.check.programs.{name.replace('-', '_')}")
    parser = argparse.ArgumentParser(prog=name, description=module.__doc__)
    parser.add_argument("target", type=urlsplit)
    module.options(parser)
    run: Callable[[argparse.Namespace], str] = module.run
    try:
        outcome = run(parser.parse_args(arguments[1:]))
    except (OSError, EOFError) as error:
        sys.stdout.write(f"{type(error).__name__}: {error}\n")
        outcome = outcome_of_error(error)
    sys.stdout.write(f"outcome: {outcome}\n")
    return 0


def outcome_of_error(error: Exception) -> str:
    """The word for what a system call or the TLS library reported."""
    if isinstance(error, socket.gaierror):
        return {socket.EAI_NONAME: "dns_nxdomain_error", socket.EAI_AGAIN: "dns_temporary_failure"}.get(
            error.errno or 0, "dns_non_recoverable_failure"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _MISMATCH:
            return "ssl_invalid_hostname"
        return "ssl_unknown_authority" if error.verify_code in _UNKNOWN_AUTHORITY else "ssl_invalid_certificate"
    if isinstance(error, EOFError | ssl.SSLEOFError):
        return "eof_error"
    if isinstance(error, ssl.SSLError):
        return "ssl_failed_handshake"
    if isinstance(error, TimeoutError):
        return "generic_timeout_error"
    return _WORDS.get(error.errno or 0, "unknown_failure") if isinstance(error, OSError) else "unknown_failure"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
