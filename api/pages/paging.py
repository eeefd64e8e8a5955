"""Page n of a list: numbers and links. Not the rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """`since`/`until` count rows from 1; links are None at either end."""

    number: int
    last: int
    matching: int
    since: int
    until: int
    previous_href: str | None
    next_href: str | None


def href(path: str, query: Mapping[str, str | int | None]) -> str:
    """A link with those of the values that are set."""
    given = {key: value for key, value in query.items() if value not in {None, ""}}
    return f"{path}?{urlencode(given)}" if given else path


def pages(*, path: str, query: Mapping[str, str | int | None], number: int, matching: int, rows: int) -> Pages:
    """The pages of `matching` rows, `rows` a page."""
    last = max(1, -(-matching // rows))
    return Pages(
        number=number,
        last=last,
        matching=matching,
        since=min((number - 1) * rows + 1, matching),
        until=min(number * rows, matching),
        previous_href=href(path, {**query, "page": min(number - 1, last)}) if number > 1 else None,
        next_href=href(path, {**query, "page": number + 1}) if number < last else None,
    )
