"""Random numbers for compiled searches: one 64-bit xorshift state in an array, so that a seed repeats a search anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from rostering.search.kernel.jit import folded, inlined

Words = np.ndarray[Any, np.dtype[np.uint64]]
WARM_UP = 20
FACTOR, OFFSET, EVERY_BIT = 2654435761, 88172645463325252, (1 << 64) - 1


@folded
def next_word(state: Words) -> np.uint64:
    """The next 64 random bits; changes `state`, an array of one word that is not 0."""
    x = state[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state[0] = x
    return x  # type: ignore[no-any-return]


@inlined
def below(state: Words, n: int) -> int:
    """A whole number from 0 to n - 1; n is at least 1."""
    return np.int64((next_word(state) >> np.uint64(11)) % np.uint64(n))  # type: ignore[return-value]


@inlined
def share(state: Words) -> float:
    """A number from 0 up to, not including, 1."""
    return np.float64(next_word(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


def seeded(seed: int) -> Words:
    """A state that `seed` (0 or more) alone decides."""
    word = (seed * FACTOR + OFFSET) & EVERY_BIT
    for _ in range(WARM_UP):
        word ^= (word << 13) & EVERY_BIT
        word ^= word >> 7
        word ^= (word << 17) & EVERY_BIT
    return np.array([word], np.uint64)
