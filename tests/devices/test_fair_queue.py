"""Whose message is stored next when one phone sends without end (bad-input row 36). No sockets: tests/devices/test_transports.py."""

from hypothesis import given
from hypothesis import strategies as st

from devices.fair_queue import FairQueue


def test_row_36_a_phone_that_floods_delays_nobody_by_more_than_a_batch() -> None:
    """Broken if two thousand messages of one phone are stored before another's check-in that came after them."""
    queue: FairQueue[str] = FairQueue(turn_messages=50)
    for number in range(2000):
        queue.put(line="flood", item=f"flood {number}")
    for name in ("a", "b", "c"):
        queue.put(line=name, item=name)
    first = queue.take(count_max=500)
    assert first[50:] == ["a", "b", "c"]
    queue.put(line="d", item="d")
    assert queue.take(count_max=500) == [f"flood {number}" for number in range(50, 100)] + ["d"]


def test_a_line_that_was_served_waits_for_all_others() -> None:
    """Broken if a batch that is too small for everybody always serves the same devices."""
    queue: FairQueue[str] = FairQueue(turn_messages=2)
    for name in "abc":
        for number in range(4):
            queue.put(line=name, item=f"{name}{number}")
    assert queue.take(count_max=3) == ["a0", "a1", "b0"]
    assert queue.take(count_max=3) == ["c0", "c1", "a2"]
    assert queue.take(count_max=3) == ["b1", "b2", "c2"]


@given(st.lists(st.sampled_from("abcde"), max_size=60), st.integers(min_value=1, max_value=4), st.integers(1, 9))
def test_everything_comes_out_once_and_each_device_in_its_own_order(lines: str, turn: int, count_max: int) -> None:
    """Broken if fairness loses, doubles or reorders a device's events."""
    queue: FairQueue[tuple[str, int]] = FairQueue(turn_messages=turn)
    for number, line in enumerate(lines):
        queue.put(line=line, item=(line, number))
    out = []
    while len(queue):
        batch = queue.take(count_max=count_max)
        assert 1 <= len(batch) <= count_max
        out += batch
    assert sorted(number for _, number in out) == list(range(len(lines)))
    for name in "abcde":
        own = [number for line, number in out if line == name]
        assert own == sorted(own)
    assert queue.take(count_max=count_max) == []
