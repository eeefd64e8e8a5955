"""Writes each import kind's columns and example into docs/imports.md: `python -m api.intake_pages`. Opens no database."""

import sys
from pathlib import Path

from api.intake import template_of
from evm.services.imports.kind import ImportKind
from evm.services.imports.kinds import KINDS

PAGE = Path("docs") / "imports.md"
BEGIN, END = "<!-- kinds: written by `python -m api.intake_pages`; a test compares -->\n", "<!-- end of kinds -->"


def section_of(kind: ImportKind) -> str:
    """A kind's part of the page: what a row is, its columns, an example file."""
    lines = [f"### `{kind.name}`", "", kind.words, "", "| Column | Needed | What it holds |", "|---|---|---|"]
    lines += [
        f"| `{field.name}` | {'yes' if field.required else ''} | {field.words.replace('|', '/')} |"
        for field in kind.fields
    ]
    return "\n".join([*lines, "", "```", template_of(kind).rstrip("\n"), "```", ""])


def written(page: str) -> str:
    """The page with the kinds as they are now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    sections = "\n".join(section_of(kind) for kind in KINDS)
    return f"{before}{BEGIN}\n{sections}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stderr.write(f"{PAGE} is written\n")
