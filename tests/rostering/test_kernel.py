"""The compiled searches' primitives against plain Python: linked runs and the heap of visits."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rostering.search.kernel import chance, heap, links
from rostering.search.kernel.jit import compiled


@compiled
def _take_out(stop, run, t):
    links.take_out(stop, run, t)


@compiled
def _put_after(stop, run, t, r, p):
    links.put_after(stop, run, t, r, p)


@compiled
def _next_word(state):
    return chance.next_word(state)


@compiled
def _sorted_by(of, key, visits, out):
    for i in range(len(visits)):
        heap.push(of, key, visits[i])
    i = 0
    while of.size[0] > 0:
        out[i] = heap.pop(of, key)
        i += 1
    return i


def runs_of(stop, run):
    """Each run's stops, read forwards; backwards must agree."""
    found = []
    stops = stop.reshape(-1, 4).tolist()
    for r, (first, last) in enumerate(run.reshape(-1, 2).tolist()):
        ahead, t = [], first
        while t >= 0:
            assert stops[t][links.RUN] == r
            ahead.append(t)
            t = stops[t][links.AFTER]
        back, t = [], last
        while t >= 0:
            back.append(t)
            t = stops[t][links.BEFORE]
        assert back[::-1] == ahead
        found.append(ahead)
    return found


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), min_size=1, max_size=12), st.data())
def test_linked_runs_are_lists(places, data):
    """A stop lost, doubled or in two runs after a move or its undoing."""
    stop, run = of = links.no_links(stops=len(places), runs=3)
    plain: list[list[int]] = [[], [], []]
    for t, (r, wish) in enumerate(places):
        at = min(wish, len(plain[r]))
        _put_after(stop, run, t, r, plain[r][at - 1] if at else -1)
        plain[r].insert(at, t)
    assert runs_of(*of) == plain
    cut = [data.draw(st.integers(0, len(plain[r]))) for r in (0, 1)]
    before = [plain[r][c - 1] if c else -1 for r, c in zip((0, 1), cut, strict=True)]
    links.exchange_tails(stop, run, 0, before[0], 1, before[1])
    assert runs_of(*of) == [plain[0][: cut[0]] + plain[1][cut[1] :], plain[1][: cut[1]] + plain[0][cut[0] :], plain[2]]
    links.exchange_tails(stop, run, 0, before[0], 1, before[1])
    assert runs_of(*of) == plain
    gone = data.draw(st.integers(0, len(places) - 1))
    _take_out(stop, run, gone)
    assert runs_of(*of) == [[t for t in run if t != gone] for run in plain]


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.data())
def test_the_heap_gives_each_visit_once_in_order_of_key(keys, data):
    """A visit timed twice, or before the visit it depends on."""
    visits = data.draw(st.lists(st.integers(0, len(keys) - 1), max_size=40))
    of, out = heap.empty_heap(visits=len(keys)), np.full(len(keys), -1, np.int64)
    found = _sorted_by(of, np.array(keys, np.float64), np.array(visits, np.int64), out)
    assert list(out[:found]) == sorted(set(visits), key=lambda v: (keys[v], v))
    assert not of.inside.any()


def test_random_numbers_repeat_for_a_seed():
    """A search that nobody can repeat."""
    words = [[int(_next_word(chance.seeded(seed))) for _ in range(3)] for seed in (0, 1, 1)]
    assert words[1] == words[2] != words[0]
