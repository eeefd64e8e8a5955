"""What waits to be stored: a line for each device, served in turn. It reorders no device's own messages.

One phone that floods us (bad-input row 36) so fills only its own line: every other device's next message is at most one batch away."""

import threading
from collections import deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")
TURN_MESSAGES: Final = 50
"""A phone of ours has no more than this in flight, so that its whole backlog comes in one batch."""


class FairQueue(Generic[T]):
    """`put` from any thread, `take` from one. A line that was served goes to the end of the row of lines."""

    def __init__(self, *, turn_messages: int = TURN_MESSAGES) -> None:
        self._turn_messages = turn_messages
        self._lines: dict[str, deque[T]] = {}  # in the order in which they are served next
        self._count = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._count

    def put(self, *, line: str, item: T) -> None:
        """Add `item` to the end of its line."""
        with self._lock:
            self._lines.setdefault(line, deque()).append(item)
            self._count += 1

    def take(self, *, count_max: int) -> list[T]:
        """The next batch: from each line in turn up to `turn_messages`, and no more of any line; at most `count_max` in all."""
        found: list[T] = []
        with self._lock:
            for _ in range(len(self._lines)):
                if len(found) >= count_max:
                    break
                line = next(iter(self._lines))
                waiting = self._lines.pop(line)
                turn = min(len(waiting), self._turn_messages, count_max - len(found))
                found += [waiting.popleft() for _ in range(turn)]
                if waiting:
                    self._lines[line] = waiting
            self._count -= len(found)
        return found
