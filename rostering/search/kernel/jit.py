"""The one place that names numba: turns functions into machine code, kept on disk between runs. Not a search.

Arrays in, arrays changed in place. `compiled` and `entered` are called from Python; `inner` and `folded` only from
compiled functions. All but `compiled` make no arrays, so that no call counts references to the arrays it is given:
with dozens of them in named tuples that counting costs more than the work.

Compiled code is kept by the text of its family (modules of one folder whose names begin with the same word) and of
this folder: a family calls compiled functions of itself and of this folder only, and code of an older text is never run.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba

Given = ParamSpec("Given")
Answer = TypeVar("Answer")
NUMBA: Any = numba.config
HERE = Path(__file__).parent
STAMP_CHARACTERS = 16


def compiled(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """Machine code that may make arrays, compiled when first called with arguments of a kind."""
    return _kept(function)


def entered(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """As `compiled`, but it makes no arrays (nor copies slices)."""
    return _kept(function, _nrt=False)


def inner(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """Called only from compiled functions; makes no arrays."""
    return _kept(function, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def folded(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """As `inner`, and its machine code is put into each caller's: for what every move runs."""
    return _kept(function, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)


def inlined(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """As `compiled`, and its text is put into its callers: for functions without early returns that one or two callers need."""
    return cast("Callable[Given, Answer]", numba.njit(inline="always")(function))


def _kept(function: Callable[Given, Answer], **options: Any) -> Callable[Given, Answer]:
    given = NUMBA.CACHE_DIR
    source = Path(function.__code__.co_filename)
    NUMBA.CACHE_DIR = given or str(_store(source.parent, source.stem.split("_")[0]))
    try:
        return cast("Callable[Given, Answer]", numba.njit(cache=True, **options)(function))
    except RuntimeError:  # nowhere to keep it (a read-only system without a home): compiled again in each process
        return cast("Callable[Given, Answer]", numba.njit(**options)(function))
    finally:
        NUMBA.CACHE_DIR = given


@cache
def _store(folder: Path, family: str) -> Path:
    """Where a family's code of the present text is kept: beside Python's own, or where a person's caches go."""
    text = hashlib.sha256()
    for path in (*sorted(folder.glob(f"{family}*.py")), *sorted(HERE.glob("*.py"))):
        text.update(path.read_bytes())
    parent = folder if os.access(folder, os.W_OK) else Path.home() / ".cache" / "popback"
    return parent / "__pycache__" / f"{family}-{text.hexdigest()[:STAMP_CHARACTERS]}"
