"""A heap of visits by their order key, each at most once, for compiled searches; it knows nothing of runs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rostering.search.kernel.jit import folded

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]


class Heap(NamedTuple):
    """The visits in heap order (size[0] of them), and whether a visit is inside."""

    items: Ints
    inside: Flags
    size: Ints


def empty_heap(*, visits: int) -> Heap:
    """A heap with room for every visit."""
    return Heap(np.empty(visits + 1, np.int64), np.zeros(visits, np.bool_), np.zeros(1, np.int64))


@folded
def earlier(key: Floats, u: int, v: int) -> bool:
    """Whether visit `u` comes before visit `v`: by key, and by number where keys are equal."""
    return key[u] < key[v] or (key[u] == key[v] and u < v)


@folded
def push(heap: Heap, key: Floats, v: int) -> None:
    """Visit `v` goes in, unless it is inside. Keys of visits inside must not change."""
    if not heap.inside[v]:
        heap.inside[v] = True
        i = heap.size[0]
        heap.size[0] = i + 1
        while i > 0:
            j = (i - 1) >> 1
            u = heap.items[j]
            if earlier(key, u, v):
                break
            heap.items[i] = u
            i = j
        heap.items[i] = v


@folded
def pop(heap: Heap, key: Floats) -> int:
    """The visit with the smallest key leaves; the heap is not empty."""
    top = heap.items[0]
    heap.inside[top] = False
    n = heap.size[0] - 1
    heap.size[0] = n
    if n > 0:
        v = heap.items[n]
        i = 0
        while True:
            c = 2 * i + 1
            if c >= n:
                break
            if c + 1 < n and earlier(key, heap.items[c + 1], heap.items[c]):
                c += 1
            u = heap.items[c]
            if not earlier(key, u, v):
                break
            heap.items[i] = u
            i = c
        heap.items[i] = v
    return top  # type: ignore[no-any-return]


@folded
def clear(heap: Heap) -> None:
    """Nothing is inside any more."""
    for i in range(heap.size[0]):
        heap.inside[heap.items[i]] = False
    heap.size[0] = 0
