"""How much a source counts: never so much that it outvotes the others, whatever it says.

Theory of operation. In a single hour a service on a thin network is measured by one source or by none, so that nothing
there tells a flood from an honest measurement. In a day it shows: a source is *too loud* on a network where it counts
more than half of what all others count together, and of one service where it counts more than all of them. The mean
day of the others in that week may stand for the day; and since on some networks there is one person a day, who is alone
on a day may count half as much again as that mean. What is too loud is weighed down: on the network to what it may
count there, and of each service, in each quarter of the day, to half of what the others count in that quarter; one
measurement in a quarter counts in any case. Whatever a flood says, that nothing works or that everything does, the
counts then follow the others, and what is not too loud is left as it is.
"""

from typing import Any

import ibis
import msgspec

_WEEK = 7  # days
_QUARTERS = 4
_HOURS = 24 // _QUARTERS


class WeightSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of the rule; what they mean stands beside them in ``rules.toml``."""

    loud_on_network: float
    loud_on_service: float
    outweighs: float
    quarter_least: float
    loudest: float
    loudest_least: float


def weighed(rows: Any, settings: WeightSettings, counted: tuple[str, ...]) -> Any:
    """Rows of some weeks with their counts weighed down where one source is too loud.

    Args:
        rows: an expression with the columns asn, subject, week, day, hour, source and those counted; a row for each of
            these.
        settings: the rule's numbers.
        counted: the columns that are weighed; the first of them tells how loud a source is.
    """
    rows = rows.mutate(quarter=rows.hour.hour() // _HOURS)
    n = counted[0]
    loud = _too_loud(rows.group_by(["asn", "subject", "week", "day", "source"]).aggregate(n=rows[n].sum()), settings)
    place = ["asn", "subject", "day"]
    near = rows.semi_join(loud, place)
    near = near.group_by([*place, "quarter", "source"]).aggregate(n=near[n].sum())
    near = near.mutate(others=near.n.sum().over(ibis.window(group_by=[*place, "quarter"])) - near.n)
    near = near.inner_join(loud, [*place, "source"])
    part = ibis.greatest(settings.outweighs * near.others, settings.quarter_least) / near.n
    near = near.filter(near.n > 0).select(*place, "quarter", "source", weight=ibis.least(near.weight, part, 1.0))
    rows = rows.left_join(near, [*place, "quarter", "source"], rname="{name}_loud")
    weight = rows.weight.fill_null(1.0)
    return rows.select("asn", "subject", "hour", "source", **{name: rows[name] * weight for name in counted})


def _too_loud(of_service: Any, settings: WeightSettings) -> Any:
    """The sources that are too loud in a day, for each service that they measured, and their weight on the network."""
    of_network = of_service.group_by(["asn", "week", "day", "source"]).aggregate(n=of_service.n.sum())
    may = _may_count(of_network, ["asn"], settings.loud_on_network, settings.loudest)
    of_network = of_network.mutate(weight=may / of_network.n).filter(lambda t: (t.n > 0) & (t.weight < 1))
    may = _may_count(of_service, ["asn", "subject"], settings.loud_on_service, settings.loudest)
    of_service = of_service.mutate(may=ibis.greatest(may, _QUARTERS * settings.quarter_least))
    of_network = of_network.select("asn", "day", "source", "weight")
    joined = of_service.left_join(of_network, ["asn", "day", "source"], rname="{name}_network")
    loud = joined.filter(joined.weight.notnull() | (joined.n > joined.may))
    return loud.select("asn", "subject", "day", "source", weight=loud.weight.fill_null(1.0))


def _may_count(of_day: Any, place: list[str], part: float, alone: float) -> Any:
    """How much a source may count in a place that day without being too loud, by what all the others count."""
    total = of_day.n.sum()
    others = total.over(ibis.window(group_by=[*place, "day"])) - of_day.n
    week = total.over(ibis.window(group_by=[*place, "week"]))
    own = total.over(ibis.window(group_by=[*place, "week", "source"]))
    usual = (week - own) / _WEEK
    return ibis.ifelse(others > 0, part * ibis.greatest(others, usual), alone * usual)
