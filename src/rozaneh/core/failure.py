"""The closed list of failures.

The strings are those of OONI's data format df-007, so that an observation can be written into an OONI measurement
unchanged. Source: ooni/spec, ``data-formats/df-007-errors.md``.
"""

import errno
from enum import StrEnum


class Failure(StrEnum):
    """How a step failed. The absence of a failure is ``None``, never a member."""

    ANDROID_DNS_CACHE_NO_DATA = "android_dns_cache_no_data"
    CONNECTION_ABORTED = "connection_aborted"
    CONNECTION_ALREADY_CLOSED = "connection_already_closed"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_RESET = "connection_reset"
    DNS_BOGON_ERROR = "dns_bogon_error"
    DNS_NO_ANSWER = "dns_no_answer"
    DNS_NON_RECOVERABLE_FAILURE = "dns_non_recoverable_failure"
    DNS_NXDOMAIN_ERROR = "dns_nxdomain_error"
    DNS_REFUSED_ERROR = "dns_refused_error"
    DNS_REPLY_WITH_WRONG_QUERY_ID = "dns_reply_with_wrong_query_id"
    DNS_SERVER_MISBEHAVING = "dns_server_misbehaving"
    DNS_SERVFAIL_ERROR = "dns_servfail_error"
    DNS_TEMPORARY_FAILURE = "dns_temporary_failure"
    EOF_ERROR = "eof_error"
    GENERIC_TIMEOUT_ERROR = "generic_timeout_error"
    HOST_UNREACHABLE = "host_unreachable"
    HTTP_INVALID_REDIRECT_LOCATION_HOST = "http_invalid_redirect_location_host"
    HTTP_REQUEST_FAILED = "http_request_failed"
    HTTP_UNEXPECTED_REDIRECT_URL = "http_unexpected_redirect_url"
    HTTP_UNEXPECTED_STATUS_CODE = "http_unexpected_status_code"
    INTERRUPTED = "interrupted"
    """Cancelled by us, as the loser of a race is. Evidence of nothing."""
    JSON_PARSE_ERROR = "json_parse_error"
    NETWORK_DOWN = "network_down"
    NETWORK_RESET = "network_reset"
    NETWORK_UNREACHABLE = "network_unreachable"
    QUIC_INCOMPATIBLE_VERSION = "quic_incompatible_version"
    SSL_FAILED_HANDSHAKE = "ssl_failed_handshake"
    SSL_INVALID_CERTIFICATE = "ssl_invalid_certificate"
    SSL_INVALID_HOSTNAME = "ssl_invalid_hostname"
    SSL_UNKNOWN_AUTHORITY = "ssl_unknown_authority"
    UNKNOWN_FAILURE = "unknown_failure"


_OWN_WANT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN)
"""This machine is short of descriptors, of memory or of threads. That says nothing about anybody else."""

_BY_ERRNO = {
    **dict.fromkeys(_OWN_WANT, Failure.INTERRUPTED),
    errno.ECONNREFUSED: Failure.CONNECTION_REFUSED,
    errno.ECONNRESET: Failure.CONNECTION_RESET,
    errno.EPIPE: Failure.CONNECTION_RESET,
    errno.ECONNABORTED: Failure.CONNECTION_ABORTED,
    errno.EHOSTUNREACH: Failure.HOST_UNREACHABLE,
    errno.ENETUNREACH: Failure.NETWORK_UNREACHABLE,
    errno.EACCES: Failure.HOST_UNREACHABLE,
    errno.EPERM: Failure.HOST_UNREACHABLE,
    errno.EADDRNOTAVAIL: Failure.NETWORK_UNREACHABLE,
    errno.EAFNOSUPPORT: Failure.NETWORK_UNREACHABLE,
    errno.ENETDOWN: Failure.NETWORK_DOWN,
    errno.ENETRESET: Failure.NETWORK_RESET,
    errno.ETIMEDOUT: Failure.GENERIC_TIMEOUT_ERROR,
}


def failure_of_errno(number: int | None) -> Failure:
    """The failure that a system call's error number stands for; unknown numbers are ``unknown_failure``."""
    return _BY_ERRNO.get(number or 0, Failure.UNKNOWN_FAILURE)
