"""For each rule: evidence for which it decides, and the evidence most like it that means something else."""

from dataclasses import dataclass

from rozaneh.core import Failure
from rozaneh.diagnosis import Evidence, Slowness
from tests.diagnosis.seen import FORGED, SITE, canaries, control, evidence, portal, seen, tried, twice


@dataclass(frozen=True)
class Case:
    """A rule, evidence for it, and the nearest evidence that is not."""

    rule: str
    shown: Evidence
    like_it: Evidence
    means: str
    """The rule that decides for the nearest evidence; ``cannot tell`` where none does."""


UNKNOWN = "cannot tell"
NEUTRAL = seen(name="example.org", verified=False)
FINE, DOWN = (control(),), (control(fails="tcp"),)
DEAD = canaries(foreign="connect.silence")
SLOW_NAME = Slowness(target=(9e3, 1e4, 9.5e3), neutral=(2e5, 1.9e5, 2.1e5))
SLOW_LINE = Slowness(target=(9e3, 1e4, 9.5e3), neutral=(9e3, 1.1e4, 1e4))
REFUSAL = seen(status=403, title="This service is not available in your country")
BLOCK_PAGE = seen(kind="http", status=403, body_head='<iframe src="http://10.10.34.36/?type=Invalid Keyword">')


def named(how: str, **more: object) -> Evidence:
    """A name that fails twice where a harmless one gets through."""
    return evidence(**({"tried": tried(system=twice(how), neutral_name=NEUTRAL), "control": FINE} | more))


def failing(how: str, kind: str = "https", **more: object) -> Evidence:
    """Something that fails twice and works for the control."""
    return evidence(**({"tried": tried(system=twice(how, kind=kind)), "control": FINE, "kind": kind} | more))


def asked(how: str, answers: tuple[str, ...] = (), **more: object) -> Evidence:
    """A name that is answered in this way by the system's resolver."""
    at = answers[0] if answers else SITE
    return evidence(**({"tried": tried(system=seen(how, at=at, answers=answers)), "control": FINE} | more))


CASES = (
    # A page in the clear that nobody vouches for.
    Case(
        "page-differs-plain",
        evidence(tried=tried(system=seen(kind="http", differs=True)), control=FINE, kind="http"),
        evidence(
            tried=tried(system=seen(kind="http", differs=True, body_head="<p>please solve the captcha</p>")),
            control=FINE,
            kind="http",
        ),
        "works",
    ),
    # The whole network.
    Case(
        "device-clock",
        failing("tls.dated", control=(), canaries=canaries("tls.dated", "tls.dated")),
        failing("tls.certificate", control=(), canaries=canaries("tls.certificate", "tls.certificate")),
        "captive-portal-certificates",
    ),
    Case(
        "captive-portal-redirect",
        failing("connect.silence", control=(), canaries=(*DEAD, *portal())),
        failing("connect.silence", control=(), canaries=DEAD),
        "domestic-only",
    ),
    Case(
        "captive-portal-certificates",
        failing("tls.certificate", control=(), canaries=canaries("tls.certificate", "tls.certificate")),
        failing("tls.certificate", control=()),
        UNKNOWN,
    ),
    Case(
        "whole-outage",
        failing("connect.silence", control=(), canaries=canaries("connect.silence", "connect.silence")),
        failing("connect.silence", control=(), canaries=DEAD),
        "domestic-only",
    ),
    Case(
        "domestic-only",
        failing("connect.silence", control=(), canaries=DEAD),
        failing("connect.silence", control=()),
        UNKNOWN,
    ),
    # What works, and how.
    Case(
        "dns-known-forgery-plain",
        evidence(tried=tried(system=seen(kind="http", status=403, at=FORGED, answers=(FORGED,))), kind="http"),
        evidence(tried=tried(system=seen(kind="http", status=403, at=SITE, answers=(SITE,))), kind="http"),
        "works",
    ),
    Case(
        "page-block-plain",
        evidence(tried=tried(system=BLOCK_PAGE), control=FINE, kind="http"),
        evidence(tried=tried(system=seen(kind="http", status=403)), control=FINE, kind="http"),
        "works",
    ),
    Case(
        "refusal-signature",
        evidence(tried=tried(system=REFUSAL), control=FINE),
        evidence(tried=tried(system=REFUSAL), control=(control(status=403),)),
        "works",
    ),
    Case(
        "refusal-legal",
        evidence(tried=tried(system=seen(status=451)), control=FINE),
        evidence(tried=tried(system=seen(status=451)), control=(control(status=451),)),
        "works",
    ),
    Case(
        "refusal-against-control",
        evidence(tried=tried(system=seen(status=403)), control=FINE),
        evidence(tried=tried(system=seen(status=403, body_head="<title>Just a moment...</title>")), control=FINE),
        "works",
    ),
    Case(
        "throttled-by-name",
        evidence(tried=tried(system=seen()), slowness=SLOW_NAME),
        evidence(tried=tried(system=seen()), slowness=SLOW_LINE),
        "works",
    ),
    Case(
        "answer-substituted",
        evidence(tried=tried(system=seen(at="216.239.38.120"))),
        evidence(tried=tried(system=seen(at="216.239.38.120")), trusted_answers=("216.239.38.120",)),
        "works",
    ),
    Case(
        "kind-of-traffic",
        evidence(tried=tried(shaped_neutral=seen(kind="tcp"), shaped=twice("answer.silence", kind="tcp")), kind="tcp"),
        evidence(
            tried=tried(
                system=seen(kind="tcp"),
                shaped_neutral=seen("answer.silence", kind="tcp"),
                shaped=twice("answer.silence", kind="tcp"),
            ),
            kind="tcp",
        ),
        "works",
    ),
    Case(
        "works-on-the-second-try",
        evidence(tried=tried(system=[seen("connect.silence"), seen()])),
        evidence(tried=tried(system=[seen("connect.interrupted"), seen()])),
        "works",
    ),
    Case("works", evidence(tried=tried(system=seen())), failing("connect.silence", control=()), UNKNOWN),
    # Down for everybody.
    Case("down-everywhere", failing("connect.silence", control=DOWN), failing("connect.silence"), "address-black-hole"),
    Case(
        "down-though-server-lives",
        named("tls.certificate", control=(control(fails="tls"),)),
        named("tls.certificate"),
        "tls-interception-against-control",
    ),
    Case(
        "no-such-name",
        asked("resolve.nxdomain", trusted_answers=(), trusted_failure=Failure.DNS_NXDOMAIN_ERROR, control=()),
        asked("resolve.nxdomain"),
        "dns-denied",
    ),
    # Names.
    Case(
        "dns-known-forgery",
        asked("connect.silence", (FORGED,)),
        asked("connect.silence", ("10.10.35.35",)),
        "dns-bogon",
    ),
    Case(
        "dns-bogon",
        asked("connect.silence", ("10.1.2.3",)),
        asked("connect.silence", ("10.1.2.3",), trusted_answers=("10.1.2.3",), control=()),
        UNKNOWN,
    ),
    Case(
        "dns-denied",
        asked("resolve.nxdomain"),
        asked("resolve.nxdomain", trusted_answers=(), control=()),
        UNKNOWN,
    ),
    Case(
        "dns-false-address",
        evidence(tried=tried(system=seen("tls.certificate", at="9.9.9.1"), trusted=seen()), control=FINE),
        evidence(tried=tried(system=seen(at="9.9.9.1")), control=FINE),
        "works",
    ),
    Case(
        "dns-substituted-dead",
        asked("connect.silence", ("216.239.38.120",)),
        asked("connect.silence", ("216.239.38.121",)),
        UNKNOWN,
    ),
    Case(
        "dns-all-names-silent",
        asked("resolve.silence", canaries=canaries("ok", "resolve.silence", "resolve.silence")),
        asked("resolve.silence", canaries=canaries("ok", "ok", "resolve.silence")),
        "dns-foreign-names-silent",
    ),
    Case(
        "dns-foreign-names-silent",
        asked("resolve.silence", canaries=canaries("ok", "ok", "resolve.silence")),
        asked("resolve.silence"),
        "dns-name-silent",
    ),
    Case(
        "dns-name-silent",
        asked("resolve.silence"),
        asked("resolve.silence", trusted_answers=(), control=()),
        UNKNOWN,
    ),
    # Plain requests.
    Case(
        "http-reset-by-name",
        evidence(
            tried=tried(system=twice("answer.reset", kind="http"), neutral_name=seen(kind="http")),
            control=FINE,
            kind="http",
        ),
        evidence(
            tried=tried(system=twice("answer.reset", kind="http"), neutral_name=seen("answer.reset", kind="http")),
            control=DOWN,
            kind="http",
        ),
        "down-everywhere",
    ),
    Case(
        "http-silent-by-name",
        evidence(
            tried=tried(system=twice("answer.silence", kind="http"), neutral_name=seen(kind="http")),
            control=FINE,
            kind="http",
        ),
        evidence(
            tried=tried(system=seen("answer.silence", kind="http"), neutral_name=seen(kind="http")),
            control=FINE,
            kind="http",
        ),
        UNKNOWN,
    ),
    Case(
        "http-reset-against-control",
        failing("answer.reset", "http"),
        failing("answer.reset", "http", control=DOWN),
        "down-everywhere",
    ),
    Case(
        "http-silent-against-control",
        failing("answer.silence", "http"),
        failing("answer.silence", "http", control=()),
        UNKNOWN,
    ),
    # The name in the handshake.
    Case("tls-reset-by-name", named("tls.reset"), named("tls.reset", control=DOWN), UNKNOWN),
    Case(
        "tls-reset-by-name-anywhere",
        failing(
            "tls.reset",
            tried=tried(system=seen("tls.reset"), mirror_neutral=NEUTRAL, mirror=seen("tls.reset", literal=True)),
        ),
        failing("tls.reset", tried=tried(system=seen("tls.reset"), mirror_neutral=NEUTRAL, mirror=NEUTRAL)),
        UNKNOWN,
    ),
    Case("tls-silent-by-name", named("tls.silence"), named("connect.silence"), "address-black-hole"),
    Case(
        "tls-silent-by-name-anywhere",
        failing(
            "tls.silence",
            tried=tried(system=seen("tls.silence"), mirror_neutral=NEUTRAL, mirror=seen("tls.silence", literal=True)),
        ),
        failing("tls.silence", tried=tried(system=seen("tls.silence"), mirror=seen("tls.silence", literal=True))),
        UNKNOWN,
    ),
    Case("tls-freeze-by-name", named("answer.silence"), named("answer.silence", control=DOWN), UNKNOWN),
    Case("tls-cut-by-name", named("answer.reset"), named("answer.reset", control=DOWN), UNKNOWN),
    Case(
        "tls-freeze-against-control", failing("body.silence"), failing("body.silence", control=DOWN), "down-everywhere"
    ),
    Case("tls-cut-against-control", failing("body.reset"), failing("body.reset", control=DOWN), "down-everywhere"),
    Case(
        "tls-interception-known",
        evidence(
            tried=tried(
                system=seen("tls.certificate"), unverified=seen(verified=False, issuer="CN=Qaznet Trust Network")
            ),
            control=FINE,
        ),
        evidence(
            tried=tried(system=seen("tls.certificate"), unverified=seen(verified=False, issuer="CN=Some Lone Box")),
            control=(control(fails="tls"),),
        ),
        "down-everywhere",
    ),
    Case(
        "tls-interception-against-control",
        failing("tls.certificate"),
        failing("tls.certificate", control=(control(fails="tls"),)),
        "down-everywhere",
    ),
    Case("tls-broken-into-by-name", named("tls.garbage"), named("tls.garbage", control=DOWN), UNKNOWN),
    Case(
        "tls-broken-into-against-control",
        failing("tls.garbage"),
        failing("tls.garbage", control=(control(fails="tls"),)),
        "down-everywhere",
    ),
    # The server turns away.
    Case(
        "refusal-by-alert",
        failing("tls.alert"),
        failing("tls.alert", control=(control(fails="tls"),)),
        "down-everywhere",
    ),
    Case(
        "refusal-by-reset",
        failing(
            "tls.reset",
            tried=tried(
                system=twice("tls.reset", reset_after=0.042), neutral_name=seen("tls.reset", reset_after=0.041)
            ),
        ),
        failing("tls.reset", tried=tried(system=twice("tls.reset"), neutral_name=seen("tls.reset"))),
        UNKNOWN,
    ),
    Case(
        "tls-silent-at-address",
        failing("tls.silence", tried=tried(system=twice("tls.silence"), neutral_name=seen("tls.silence"))),
        failing("tls.silence", tried=tried(system=twice("tls.silence"), neutral_name=seen("tls.silence")), control=()),
        UNKNOWN,
    ),
    Case(
        "tls-reset-unpaired",
        failing("tls.reset"),
        failing("tls.reset", tried=tried(system=twice("tls.reset"), neutral_name=seen("tls.reset"))),
        UNKNOWN,
    ),
    Case(
        "tls-silent-unpaired",
        failing("tls.silence"),
        failing("tls.silence", control=DOWN),
        "down-everywhere",
    ),
    # Addresses.
    Case(
        "address-penalty",
        failing("connect.silence", tainted=True),
        failing("connect.silence"),
        "address-black-hole",
    ),
    Case(
        "address-black-hole",
        failing("connect.silence"),
        failing("connect.silence", tried=tried(system=seen("connect.silence"))),
        UNKNOWN,
    ),
    Case("address-refused", failing("connect.refused"), failing("connect.refused", control=DOWN), "down-everywhere"),
    Case(
        "address-unreachable",
        failing("connect.unreachable"),
        failing("connect.unreachable", canaries=()),
        UNKNOWN,
    ),
    # The kind of traffic.
    Case(
        "udp-kind-of-traffic",
        evidence(
            tried=tried(
                system=seen("answer.silence", kind="udp", literal=True),
                shaped_neutral=seen(kind="udp"),
                shaped=seen("answer.silence", kind="udp"),
            ),
            kind="udp",
        ),
        evidence(
            tried=tried(
                system=seen("answer.silence", kind="udp", literal=True),
                shaped_neutral=seen("answer.silence", kind="udp"),
                shaped=seen("answer.silence", kind="udp"),
            ),
            kind="udp",
        ),
        UNKNOWN,
    ),
    Case(
        "quic-silent",
        evidence(tried=tried(system=twice("quic.silence", kind="quic"), quic_neutral=seen(kind="quic")), kind="quic"),
        evidence(
            tried=tried(system=twice("quic.silence", kind="quic"), quic_neutral=seen("quic.silence", kind="quic")),
            kind="quic",
        ),
        UNKNOWN,
    ),
)
