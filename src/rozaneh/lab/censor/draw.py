"""Chance that repeats: draws depend on the seed and on what is drawn for, never on the order of other draws."""

import hashlib
import random

_SCALE = float(1 << 64)


def share_of(seed: int, *parts: object) -> float:
    """A stable number in [0, 1) for something, for instance for a flow or for a pair of addresses."""
    text = "\x1f".join(part.hex() if isinstance(part, bytes) else str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / _SCALE


def generator(seed: int, *parts: object) -> random.Random:
    """A generator of its own for one purpose, so that purposes do not disturb each other."""
    return random.Random(share_of(seed, *parts))


class Draws:
    """Numbers for one rule: a stable one per holder, a sequence for packets."""

    def __init__(self, seed: int, *parts: object) -> None:
        self._seed = seed
        self._parts = parts
        self.random = generator(seed, *parts)

    def stable(self, *holder: object) -> float:
        """The same number in [0, 1) for the same holder, always."""
        return share_of(self._seed, *self._parts, *holder)

    def between(self, span: tuple[float, float]) -> float:
        """A number between two."""
        low, high = span
        return low if low == high else self.random.uniform(low, high)
