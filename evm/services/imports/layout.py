"""How the columns of somebody's file are named, separated, encoded and dated: declared in TOML, never guessed. Not the reading of a
file (csv_file) and not what a kind of file means (kinds)."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal, cast

from evm.domain.period import UnknownZone, zone_of

DELIMITERS: Final = (",", ";", "\t", "|")
ENCODINGS: Final = ("utf-8", "cp1252", "iso-8859-15")
DATES: Final = ("iso", "dd/mm/yyyy")
NAME_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class LayoutRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """The layout cannot be used: the key at fault, what is wrong with it and what would do."""

    def __init__(self, *, field: str, words: str) -> None:
        super().__init__(f"layout, {field}: {words}")
        self.field = field
        self.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A file's form. `columns`: our field → the header in the file; a field that is not listed is not in this layout.

    `optional` are fields whose column a file may leave out (what is stored of them then stays). `values`: our field → their value → ours
    (a value not listed is refused); `constants`: our field → one value for every row. Unknown columns are kept in `Row.extra`
    (`keep_unknown`) or refused. `zone` is that of local times."""

    name: str
    kind: str
    columns: Mapping[str, str]
    optional: frozenset[str] = frozenset()
    delimiter: str = ","
    encoding: str = "utf-8"
    dates: Literal["iso", "dd/mm/yyyy"] = "iso"
    zone: str = "Europe/London"
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    keep_unknown: bool = False


def load_layout(*, path: Path) -> Layout:
    """The layout of a TOML file with one `[layout]` table. Raises LayoutRefused naming the first key at fault."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LayoutRefused(field=path.name, words=f"this file cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LayoutRefused(field=path.name, words=f"this is not TOML: {error}") from error
    table = found.get("layout")
    if not isinstance(table, dict):
        raise LayoutRefused(field="layout", words="the file needs a [layout] table")
    return layout_of(table)


def layout_named(*, name: str, kind: str) -> Layout:
    """A packaged layout by its name, or one of the user's by the path of its TOML file; it must be for this kind of file."""
    if name.endswith(".toml"):
        found = load_layout(path=Path(name))
    else:
        packaged = files("evm.services.imports") / "layouts" / f"{name}.toml"
        if NAME_PATTERN.fullmatch(name) is None or not packaged.is_file():
            there = ", ".join(layout_names()) or "none"
            words = f"there is no layout {name[:40]!r}; there are: {there}; or give the path of a .toml file"
            raise LayoutRefused(field="layout", words=words)
        found = layout_of(tomllib.loads(packaged.read_text(encoding="utf-8"))["layout"])
    if found.kind != kind:
        raise LayoutRefused(field="kind", words=f"layout {found.name!r} is for files of kind {found.kind}, not {kind}")
    return found


def layout_names() -> tuple[str, ...]:
    """The names of the packaged layouts, sorted."""
    folder = files("evm.services.imports") / "layouts"
    return tuple(sorted(each.name.removesuffix(".toml") for each in folder.iterdir() if each.name.endswith(".toml")))


def layout_of(values: Mapping[str, Any]) -> Layout:
    """The layout with these keys, validated. Raises LayoutRefused naming the first key at fault."""
    known = {each.name for each in fields(Layout)}
    for key in values:
        if key not in known:
            raise LayoutRefused(field=key, words=f"there is no such key; there are {', '.join(sorted(known))}")
    columns = _texts("columns", values.get("columns"))
    constants = _texts("constants", values.get("constants", {}))
    _check_columns(columns, constants)
    optional = _names("optional", values.get("optional", []), among=columns)
    return Layout(
        name=_name("name", values.get("name")),
        kind=_name("kind", values.get("kind")),
        columns=columns,
        optional=optional,
        delimiter=_one_of("delimiter", values.get("delimiter", ","), DELIMITERS),
        encoding=_one_of("encoding", values.get("encoding", "utf-8"), ENCODINGS),
        dates=cast("Literal['iso', 'dd/mm/yyyy']", _one_of("dates", values.get("dates", "iso"), DATES)),
        zone=_zone(values.get("zone", "Europe/London")),
        values=_value_maps(values.get("values", {}), known={*columns, *constants}),
        constants=constants,
        keep_unknown=_flag("keep_unknown", values.get("keep_unknown", False)),
    )


def _name(key: str, value: Any) -> str:
    if not isinstance(value, str) or NAME_PATTERN.fullmatch(value) is None:
        raise LayoutRefused(field=key, words="must be 1 to 40 lower-case letters, digits, hyphens and underscores")
    return value


def _texts(key: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
        raise LayoutRefused(field=key, words='must be a table of texts: field = "text"')
    return {str(name): text.strip() for name, text in value.items()}


def _check_columns(columns: Mapping[str, str], constants: Mapping[str, str]) -> None:
    if not columns:
        raise LayoutRefused(field="columns", words="must name at least one column")
    headers = list(columns.values())
    for name, header in columns.items():
        if not header:
            raise LayoutRefused(field=f"columns.{name}", words="must be the column's header as the file writes it")
        if headers.count(header) > 1:
            raise LayoutRefused(field=f"columns.{name}", words=f"two fields read the column {header!r}; one can")
        if name in constants:
            raise LayoutRefused(field=f"constants.{name}", words="is a column too; a field is the one or the other")


def _names(key: str, value: Any, *, among: Mapping[str, str]) -> frozenset[str]:
    if not isinstance(value, list | tuple | frozenset) or not all(isinstance(name, str) for name in value):
        raise LayoutRefused(field=key, words="must be a list of field names")
    for name in value:
        if name not in among:
            raise LayoutRefused(field=key, words=f"{name!r} is not one of the columns' fields")
    return frozenset(value)


def _one_of(key: str, value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise LayoutRefused(field=key, words=f"must be one of {', '.join(repr(choice) for choice in choices)}")
    return str(value)


def _zone(value: Any) -> str:
    try:
        zone_of(str(value))
    except UnknownZone as error:
        raise LayoutRefused(field="zone", words=str(error)) from error
    return str(value)


def _value_maps(value: Any, *, known: set[str]) -> dict[str, dict[str, str]]:
    if not isinstance(value, Mapping):
        raise LayoutRefused(field="values", words="must be a table of tables: [layout.values.field]")
    for name in value:
        if name not in known:
            raise LayoutRefused(field=f"values.{name}", words="is not one of the columns' fields")
    return {str(name): _texts(f"values.{name}", table) for name, table in value.items()}


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise LayoutRefused(field=key, words="must be true or false")
    return value
