"""Whether it is one service that fails, and surely so: what else works on the network meanwhile, and chance.

Theory of operation. A cut fails in silence: names get no answer, addresses none, handshakes none. So may a block. On a
network where much is measured the two look unlike, since in a cut everything fails. On a thin network what fails
together may not be broad enough to be told a cut, and each service alone then looks blocked. As a cut needs some
services that fail, a block that is nothing but silence needs some beside it that work. A forged answer, a reset, a
page: no cut does that, and nothing beside is asked for.

And where few measure, a service of which hardly anything fails has, in some days of some year, more failures than
successes by chance. That most of its measurements fail has to be sure, not only seen.
"""

from collections.abc import Iterable, Mapping

import msgspec
import numpy as np
from scipy.special import betainc

from rozaneh.diagnosis import Mechanism
from rozaneh.observatory.events.claims import Claim
from rozaneh.observatory.events.counts import Counts
from rozaneh.observatory.events.curfews import NetworkSettings
from rozaneh.observatory.events.networks import Network, tried_abroad
from rozaneh.observatory.events.services import Stretch

_MEASURED = 2  # measurements from which a service beside it tells
SILENT = frozenset({
    Mechanism.DNS_SILENCE.value, Mechanism.TLS_NAME_SILENCE.value, Mechanism.HTTP_SILENCE.value,
    Mechanism.ADDRESS_BLACK_HOLE.value, Mechanism.QUIC_SILENCE.value, Mechanism.WHOLE_OUTAGE.value,
    Mechanism.DOMESTIC_ONLY.value, Mechanism.UNKNOWN.value, Mechanism.NONE.value,
})  # fmt: skip
"""Ways of failing that a cut has too."""


class BesideSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of the rule; what they mean stands beside them in ``rules.toml``."""

    services_least: int
    share_least: float
    sure: float


class Beside:
    """What works beside a service, network by network."""

    def __init__(
        self,
        counts: Counts,
        networks: Iterable[Network],
        cut: Mapping[int, np.ndarray],
        rules: tuple[NetworkSettings, int],
    ) -> None:
        """Nothing is counted yet: that is done for networks that are asked for.

        Args:
            counts: of the country.
            networks: on which something abroad is measured.
            cut: for each network the hours in which it is cut as a whole.
            rules: of networks, and the hours from which a block of a service is no part of a cut.
        """
        self._counts, self._cut, self._rules = counts, cut, rules
        self._networks = {network.asn: network for network in networks}
        self._latest: tuple[int, np.ndarray, np.ndarray, np.ndarray] | None = None

    def working(self, stretch: Stretch) -> int:
        """How many services abroad beside one work meanwhile: fewer fail than half way from what is usual to its share.

        What is blocked there for long, and the hours in which the network is cut, say nothing.
        """
        asn = self._counts.series[stretch.row][0]
        if asn not in self._networks:
            return 0
        if self._latest is None or self._latest[0] != asn:
            n, k = tried_abroad(self._counts, self._networks[asn], *self._rules)
            n, k = n * ~self._cut[asn], k * ~self._cut[asn]
            self._latest = asn, n, k, (k.sum(1) + 0.5) / (n.sum(1) + 10)
        _, n, k, usual = self._latest
        tried, failed = n[:, stretch.first : stretch.last].sum(1), k[:, stretch.first : stretch.last].sum(1)
        works = (tried >= _MEASURED) & (failed <= (usual + stretch.share) / 2 * tried)
        return int(np.count_nonzero(works & (self._networks[asn].abroad != stretch.row)))


def lacking(claim: Claim, mechanism: str, settings: BesideSettings) -> tuple[str, int, int] | None:
    """Why a claim about services may be a cut or chance, and how many services it has and wants; none if it is neither.

    Args:
        claim: with its counts.
        mechanism: how most of it failed.
        settings: the numbers of the rule.
    """
    if not claim.services:
        return None
    if claim.working is not None and claim.working < settings.services_least and mechanism in SILENT:
        return "beside", settings.services_least, claim.working
    chance = float(betainc(claim.failed + 1, claim.tried - claim.failed + 1, settings.share_least))
    return ("chance", 0, 0) if 1 - chance < settings.sure else None
