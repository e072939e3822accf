"""How much a source counts, told row by row as the rule says it, beside what is computed for all rows at once."""

import numpy as np

from rozaneh.observatory.events.rules import event_rules
from rozaneh.observatory.events.weights import Said, WeightSettings, weights

Row = tuple[int, int, int, int, int, int]


def _by_the_rule(rows: list[Row], rule: WeightSettings) -> list[float]:
    def measured(**alike: int) -> int:
        names = ("network", "service", "day", "quarter", "source")
        found = 0
        for row in rows:
            told = {**dict(zip(names, row, strict=False)), "week": (row[2] + 3) // 7}
            found += row[-1] if all(told[name] == value for name, value in alike.items()) else 0
        return found

    def may_count(place: dict[str, int], day: int, source: int, part: float) -> float:
        others = measured(**place, day=day) - measured(**place, day=day, source=source)
        week = (day + 3) // 7
        usual = (measured(**place, week=week) - measured(**place, week=week, source=source)) / 7
        return part * max(others, usual) if others else rule.loudest * usual

    found = []
    for network, service, day, quarter, source, _ in rows:
        there, of = {"network": network}, {"network": network, "service": service}
        on_network = measured(**there, day=day, source=source)
        share = may_count(there, day, source, rule.loud_on_network) / on_network if on_network else 1.0
        may = max(may_count(of, day, source, rule.loud_on_service), 4 * rule.quarter_least)
        own = measured(**of, day=day, quarter=quarter, source=source)
        if own and (share < 1 or measured(**of, day=day, source=source) > may):
            others = measured(**of, day=day, quarter=quarter) - own
            found.append(min(share, max(rule.outweighs * others, rule.quarter_least) / own, 1.0))
        else:
            found.append(1.0)
    return found


def test_weights_are_those_of_the_rule() -> None:
    rule = event_rules()["source-weights"].numbers(WeightSettings)
    rng = np.random.default_rng(7)
    tried = []
    for many in (1, 40, 90):
        rows = [
            (int(rng.integers(2)), int(rng.integers(2)), int(rng.integers(19_000, 19_009)), int(rng.integers(4)),
             int(rng.integers(4)), int(rng.choice([0, 1, 1, 2, 9, 40])))
            for _ in range(many)
        ]  # fmt: skip
        network, service, day, quarter, source, n = (np.array(column, np.int64) for column in zip(*rows, strict=True))
        said = Said(network, network * 2 + service, day, quarter, source, n.astype(np.float64))
        found = weights(said, rule)
        np.testing.assert_allclose(found, _by_the_rule(rows, rule))
        tried += (found < 1).tolist()
    assert 20 < sum(tried) < len(tried) - 20, "both those that are weighed down and those that are not"
