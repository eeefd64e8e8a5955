"""The one place that names numba: `compiled` turns a function into machine code, kept on disk between runs.

Arrays in, arrays changed in place: a compiled function makes no objects. Not a search (rostering.search).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def compiled(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """The function as machine code, compiled when first called with arguments of a kind, cached on disk."""
    try:
        return cast("Callable[Given, Answer]", numba.njit(cache=True)(function))
    except RuntimeError:  # nowhere to keep it (a read-only system without a home): compiled again in each process
        return cast("Callable[Given, Answer]", numba.njit(function))


def inlined(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """As `compiled`, and put into its callers: for the few lines that every move runs."""
    return cast("Callable[Given, Answer]", numba.njit(inline="always")(function))
