"""What a format raises for a file it cannot read; never raised for a problem that merely has no good answer."""

from __future__ import annotations


class FormatError(ValueError):
    """A broken file: `where` names the field, the message says what is wrong with it."""

    def __init__(self, *, where: str, wrong: str) -> None:
        super().__init__(f"{where}: {wrong.removeprefix(f'{where}: ')}")
        self.where = where
