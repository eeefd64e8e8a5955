"""A phone's outbox on disk: every event it ever recorded, appended and synced before the screen says "saved on phone", and the receipts
that say it may be forgotten. Not the sending of it (devices.phone.link).

One JSON object a line: `e` an event, `s` events stored, `r` an event refused, `c` a challenge, `o` an epoch of the log that opened. A kill
at any instant leaves at most a torn last line, which never was promised to anybody and is cut off at the next start. Receipted events stay
for 35 days, to answer `resend_from` after the server was restored, and with them the receipts of every epoch of its log."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from devices.messages.v1 import RefusedItem, StoredItem, sha256_hex

KEEP: Final = timedelta(days=35)


class OutboxInUseError(RuntimeError):
    """Another process holds this outbox: two writers would fork the phone's chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One recorded event: the exact text that is sent and hashed, and the position text beside it."""

    event_id: str
    sequence: int
    sha256: str
    captured_at: str
    payload: str
    position: str | None = None

    @property
    def message(self) -> bytes:
        """The envelope as it goes out, by MQTT and by HTTP alike."""
        envelope = {"payload": self.payload}
        if self.position is not None:
            envelope["position"] = self.position
        return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldChallenge:
    """The server's last challenge, and when it came: in milliseconds of that boot's monotonic clock."""

    challenge: str
    monotonic_ms: int
    boot_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The server's log was restored and opened the epoch `name`: everything from `resend_from` on waits again. `before`: the receipts that
    the epochs before gave for it; they are kept, for they show what the log once said."""

    name: str
    resend_from: int
    before: dict[str, StoredItem]


class Outbox:
    """Append-only. Not thread-safe: its phone holds a lock. `sync` is called after each event is written (os.fsync)."""

    def __init__(self, *, path: Path, sync: Callable[[int], None] = os.fsync) -> None:
        self._path = path
        self._sync = sync
        self.pending: dict[str, Entry] = {}
        self.stored: dict[str, StoredItem] = {}
        self.refused: dict[str, RefusedItem] = {}
        self.challenge: HeldChallenge | None = None
        self.epochs: list[Opened] = []
        self.last_sequence = 0
        self.last_sha256: str | None = None
        self._places: dict[int, tuple[int, str]] = {}  # sequence -> (offset in the file, event id)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b", buffering=0)
        self._lock()
        self._load()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise OutboxInUseError(f"{self._path} is open in another process") from error

    def _load(self) -> None:
        end = 0
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._apply(json.loads(line), end)
                end += len(line)
        self._file.truncate(end)
        self._end = end

    def _apply(self, record: dict[str, Any], offset: int) -> None:
        match record:
            case {"e": event}:
                self._keep(Entry(**event), offset)
            case {"s": items}:
                self._settle(StoredItem.model_validate(item) for item in items)
            case {"r": item}:
                self._reject(RefusedItem.model_validate(item))
            case {"c": challenge}:
                self.challenge = HeldChallenge(**challenge)
            case {"o": opened}:
                self._reopen(**opened)
            case _:
                raise ValueError(f"{self._path}: a line at byte {offset} that is none of an outbox's")

    def close(self) -> None:
        """Let go of the file and its lock."""
        self._file.close()

    def knows(self, event_id: str) -> bool:
        """Whether an event of this id was recorded and is kept."""
        return event_id in self.pending or event_id in self.stored or event_id in self.refused

    def append(self, entry: Entry) -> None:
        """Write an event and sync it to disk; when this returns, a kill does not lose it.

        Raises OSError when the disk does not take it (full, failing): then nothing of it stays."""
        offset = self._end
        self._write({"e": asdict(entry)}, sync=self._sync)
        self._keep(entry, offset)

    def mark_stored(self, items: Sequence[StoredItem]) -> int:
        """Keep receipts; answers how many events they newly settle. A receipt for other bytes than ours settles nothing.

        Not synced: a lost receipt means a second sending and the same receipt again."""
        ours = [item for item in items if self._is_pending(item)]
        if ours:
            self._write({"s": [item.model_dump() for item in ours]})
            self._settle(ours)
        return len(ours)

    def mark_refused(self, item: RefusedItem) -> bool:
        """Keep a refusal: the event is not sent again, the screen shows why. False when it is none of ours that waits."""
        entry = self._refused_entry(item)
        if entry is None:
            return False
        named = item.model_copy(update={"event_id": entry.event_id})
        self._write({"r": named.model_dump()})
        self._reject(named)
        return True

    @property
    def epoch(self) -> str | None:
        """The log's epoch this phone knows of; None: the first."""
        return self.epochs[-1].name if self.epochs else None

    @property
    def stored_sequence(self) -> int:
        """The newest sequence number with a receipt; 0: none."""
        return max((number for number, (_, event_id) in self._places.items() if event_id in self.stored), default=0)

    def has_ended(self, epoch: str | None) -> bool:
        """Whether this epoch of the log is over: what it said of an event holds no longer."""
        return epoch != self.epoch and (epoch is None or any(opened.name == epoch for opened in self.epochs))

    def open_epoch(self, *, name: str, resend_from: int) -> int:
        """The log was restored: everything from `resend_from` on, receipted or refused, waits again. Answers how much waits now.

        Synced: a phone that says it knows the epoch must not forget what it owes it. Raises OSError: then all is as it was."""
        self._write({"o": {"name": name, "resend_from": resend_from}}, sync=self._sync)
        self._reopen(name, resend_from)
        return len(self.pending)

    def _reopen(self, name: str, resend_from: int) -> None:
        again = [place for number, place in self._places.items() if number >= resend_from]
        waiting = {event_id: self._at(offset) for offset, event_id in again} | self.pending
        before = {event_id: self.stored.pop(event_id) for _, event_id in again if event_id in self.stored}
        for _, event_id in again:
            self.refused.pop(event_id, None)
        self.pending = dict(sorted(waiting.items(), key=lambda item: item[1].sequence))
        self.epochs.append(Opened(name=name, resend_from=resend_from, before=before))

    def hold_challenge(self, challenge: HeldChallenge) -> None:
        """Remember the newest challenge."""
        self._write({"c": asdict(challenge)})
        self.challenge = challenge

    def since(self, sequence: int) -> Iterator[Entry]:
        """Every event kept with this sequence number or a later one, receipted or not, in order; refused ones are left out."""
        for number in sorted(n for n in self._places if n >= sequence):
            offset, event_id = self._places[number]
            if event_id not in self.refused:
                yield self._at(offset)

    def compact(self, *, now: datetime) -> int:
        """Forget receipted events older than `KEEP`, by writing the file anew. Answers how many were forgotten.

        Raises OSError when the disk has no room for the new file: then all stays as it was."""
        limit = (now - KEEP).astimezone(UTC)
        entries = [self._at(offset) for _, (offset, _) in sorted(self._places.items())]
        newest = entries[-1:]
        kept = [e for e in entries if e.event_id in self.pending or datetime.fromisoformat(e.captured_at) >= limit]
        kept = kept or newest  # the chain's last link always stays
        if len(kept) == len(entries):
            return 0
        fresh = self._path.with_suffix(".new")
        try:
            self._write_anew(fresh, kept)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        self._change_to(fresh)
        return len(entries) - len(kept)

    def _write_anew(self, fresh: Path, kept: Sequence[Entry]) -> None:
        with fresh.open("wb") as file:
            for entry in kept:
                file.write(_line({"e": asdict(entry)}))
            ids = {entry.event_id for entry in kept}
            for opened in self.epochs:
                file.write(_line({"s": [item.model_dump() for key, item in opened.before.items() if key in ids]}))
                file.write(_line({"o": {"name": opened.name, "resend_from": opened.resend_from}}))
            file.write(_line({"s": [item.model_dump() for key, item in self.stored.items() if key in ids]}))
            for key, item in self.refused.items():
                if key in ids:
                    file.write(_line({"r": item.model_dump()}))
            if self.challenge is not None:
                file.write(_line({"c": asdict(self.challenge)}))
            file.flush()
            os.fsync(file.fileno())

    def _change_to(self, fresh: Path) -> None:
        fresh.replace(self._path)
        self._file.close()
        self.pending, self.stored, self.refused, self._places, self.epochs = {}, {}, {}, {}, []
        self._file = self._path.open("a+b", buffering=0)
        self._lock()
        self._load()

    def _keep(self, entry: Entry, offset: int) -> None:
        self.pending[entry.event_id] = entry
        self._places[entry.sequence] = (offset, entry.event_id)
        self.last_sequence, self.last_sha256 = entry.sequence, entry.sha256

    def _settle(self, items: Sequence[StoredItem] | Iterator[StoredItem]) -> None:
        for item in items:
            self.stored[item.event_id] = item
            self.pending.pop(item.event_id, None)

    def _reject(self, item: RefusedItem) -> None:
        assert item.event_id is not None
        self.refused[item.event_id] = item
        self.pending.pop(item.event_id, None)

    def _is_pending(self, item: StoredItem) -> bool:
        entry = self.pending.get(item.event_id)
        return entry is not None and entry.sha256 == item.sha256

    def _refused_entry(self, item: RefusedItem) -> Entry | None:
        if item.event_id is not None:
            found = self.pending.get(item.event_id)
            return found if found is not None and item.sha256 in (found.sha256, sha256_hex(found.message)) else None
        for entry in self.pending.values():
            if item.sha256 in (entry.sha256, sha256_hex(entry.message)):
                return entry
        return None

    def _at(self, offset: int) -> Entry:
        line = b""
        while not line.endswith(b"\n"):
            piece = os.pread(self._file.fileno(), 4096, offset + len(line))
            assert piece, "an offset past the end of the outbox"
            line += piece[: piece.find(b"\n") + 1] if b"\n" in piece else piece
        return Entry(**json.loads(line)["e"])

    def _write(self, record: dict[str, Any], *, sync: Callable[[int], None] | None = None) -> None:
        """Append a whole line or nothing: half a line, or one that its writer was told had failed, would spoil what comes after it."""
        line = _line(record)
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
            if sync is not None:
                sync(self._file.fileno())
        except OSError:
            self._file.truncate(self._end)
            raise
        self._end += len(line)


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
