"""JSON as strictly as a court would read it: one text, one meaning, or a reason why not. Not the shape of any message.

Refused are: an empty body, any encoding but UTF-8 without a mark, NUL and lone surrogates, nesting deeper than 8, trailing text,
duplicate keys, NaN and infinities (also by overflow) and integers longer than 19 digits (bad-input rows 1 to 12)."""

import json
import math
import re
from typing import Any, Final

DEPTH_MAX: Final = 8
DIGITS_MAX: Final = 19

_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_STRINGS: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS: Final = re.compile(r"[][{}]")


class Refused(Exception):  # noqa: N818 -- a refusal with a reason, as the protocol names it
    """This message is refused: `reason` is the code the receipt carries, `words` what a person reads. `security` marks an attempt
    to speak for another; `event_id`, `sequence` and `sha256` are filled in as far as the message could be read."""

    def __init__(self, reason: str, words: str, *, security: bool = False) -> None:
        super().__init__(f"{reason}: {words}")
        self.reason = reason
        self.words = words
        self.security = security
        self.event_id: str | None = None
        self.sequence: int | None = None
        self.sha256: str | None = None


def decode(raw: bytes) -> Any:
    """The value of `raw`. Raises `Refused` with EMPTY, ENCODING, DEPTH, NUMBER, DUPLICATE or SYNTAX."""
    text = _text(raw)
    _refuse_depth(text)
    try:
        value = _DECODER.decode(text)
    except ValueError as error:
        raise Refused("SYNTAX", f"not one JSON text: {error}") from error
    if "\\u" in text:
        _refuse_unstorable(value)
    return value


def _text(raw: bytes) -> str:
    if not raw.strip():
        raise Refused("EMPTY", "the message is empty")
    if raw.startswith(_MARKS) or b"\x00" in raw:
        raise Refused("ENCODING", "only UTF-8 without a byte order mark and without NUL is accepted")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("ENCODING", f"not UTF-8 at byte {error.start}") from error


def _refuse_depth(text: str) -> None:
    """Count brackets outside strings before any recursive parser sees the text."""
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > DEPTH_MAX:
            raise Refused("DEPTH", f"nested deeper than {DEPTH_MAX}")


def _refuse_unstorable(value: Any) -> None:
    """No database keeps NUL in text and no encoder writes half a surrogate pair: refuse both wherever they stand."""
    match value:
        case str():
            if "\x00" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
                raise Refused("ENCODING", "a string holds NUL or half a surrogate pair")
        case dict():
            for key, item in value.items():
                _refuse_unstorable(key)
                _refuse_unstorable(item)
        case list():
            for item in value:
                _refuse_unstorable(item)
        case _:
            pass


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("DUPLICATE", "a key stands twice in one object")
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > DIGITS_MAX:
        raise Refused("NUMBER", f"an integer of {len(digits)} digits")
    return int(digits)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Refused("NUMBER", "a number is too large to be one")
    return value


def _constant(name: str) -> float:
    raise Refused("NUMBER", f"{name} is not a number")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_number, parse_constant=_constant
)
