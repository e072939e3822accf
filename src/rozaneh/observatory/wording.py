"""Verdicts in columns, from what rules decided in numbers: words are looked up, where a query would write each row's.

Theory of operation. A verdict's row repeats what its measurement says of itself, and what one of a few dozen rules
says. The first is read from the observations as it lies there, texts as numbers of words; the second is a table of
words by the number of the rule. So no text is made row by row, neither here nor where rows are counted and written.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from rozaneh.diagnosis import Rule
from rozaneh.observatory import schema
from rozaneh.observatory.facts import READINGS
from rozaneh.observatory.gathered import KEY
from rozaneh.observatory.verdicts import HUNDRED, WORDS, rules_version

_OWN: Final = ("measurement_uid",)
"""Texts of which every row has one of its own."""
TAKEN: Final = [name for name in schema.VERDICT.names if name in schema.OBSERVATION.names]
"""Columns of a verdict that are its target's first observation's."""
REPEATED: Final = [name for name in TAKEN if schema.VERDICT.field(name).type == pa.string() and name not in _OWN]
"""Those of them that hold texts which many rows share."""
ORDER: Final = ("country", "day", "asn", "domain", "time", "measurement", "target")
"""What verdicts are sorted by."""


class Wording:
    """What rules say, by their numbers.

    Args:
        known: the rules.
    """

    def __init__(self, known: Sequence[Rule]) -> None:
        # By -1, which numpy takes for the last: what is said where no rule fits.
        self._words = {name: _looked_up([*map(word, known), otherwise]) for name, (word, otherwise) in WORDS.items()}
        self._readings = _looked_up(READINGS)
        self._version = _looked_up([rules_version(known)])

    def verdicts(self, first: pa.Table, decided: pa.Table) -> pa.Table:
        """Verdicts with the columns of :data:`schema.VERDICT`, sorted, texts as dictionaries.

        Args:
            first: the first observation of each target, with the columns :data:`TAKEN`, :data:`REPEATED` ones as
                dictionaries.
            decided: what :func:`rozaneh.observatory.verdicts.decided` gives of the same targets, in any order.
        """
        first = first.unify_dictionaries().combine_chunks()
        numbers = {name: decided[name].to_numpy() for name in decided.column_names}
        if any(not np.array_equal(first[name].to_numpy(), numbers[name]) for name in KEY):
            there = np.lexsort([first[name].to_numpy() for name in KEY])
            order = np.empty_like(there)
            order[there] = np.lexsort([numbers[name] for name in KEY])
            numbers = {name: column[order] for name, column in numbers.items()}
        made: dict[str, Any] = {name: _as_in_schema(first[name], name) for name in TAKEN}
        made |= {name: _column(words, numbers["chosen"]) for name, words in self._words.items()}
        made["reading"] = _column(self._readings, numbers["ended"])
        made["rules_version"] = _column(self._version, np.zeros(first.num_rows, np.int64))
        made["confidence"] = pa.array(numbers["hundredths"] / HUNDRED)
        made["compared"] = pa.array(numbers["compared"])
        fields = [schema.VERDICT.field(name).with_type(made[name].type) for name in schema.VERDICT.names]
        return _sorted(pa.table([made[field.name] for field in fields], schema=pa.schema(fields)))


def _as_in_schema(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    return column if name in REPEATED else column.cast(schema.VERDICT.field(name).type)


def _looked_up(words: Sequence[str]) -> tuple[Any, pa.Array]:
    """The place of each of some words among the different ones, and those."""
    different, places = np.unique(np.asarray(words), return_inverse=True)
    return places.astype(np.int32), pa.array(different.tolist(), pa.string())


def _column(words: tuple[Any, pa.Array], numbers: Any) -> pa.DictionaryArray:
    places, different = words
    return pa.DictionaryArray.from_arrays(pa.array(places[numbers]), different)


def _sorted(verdicts: pa.Table) -> pa.Table:
    order = np.lexsort([_ranks(verdicts[name]) for name in reversed(ORDER)])
    if (np.diff(order) == 1).all():  # a day that came in one piece lies in this order already
        return verdicts
    return verdicts.take(pa.array(order))


def _ranks(column: pa.ChunkedArray) -> Any:
    """Numbers that are in the order of a column."""
    if not pa.types.is_dictionary(column.type):
        return column.to_numpy()
    words = column.combine_chunks()
    ranks = np.argsort(np.argsort(np.asarray(words.dictionary.to_pylist(), dtype=object)))
    return ranks[words.indices.to_numpy()]
