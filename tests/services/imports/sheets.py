"""Small files and layouts for the tests of importing. Not fixtures."""

from pathlib import Path

from evm.services.imports.csv_file import Row, RowError, open_csv
from evm.services.imports.layout import Layout

COLUMNS = {"customer": "customer", "name": "name", "phone": "phone", "note": "note"}


def layout(**changed) -> Layout:
    """Four columns, everything else as it comes."""
    return Layout(**{"name": "four", "kind": "customers", "columns": COLUMNS} | changed)


def saved(folder: Path, content: str | bytes, *, name: str = "file.csv") -> Path:
    """A file with this content, byte for byte."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows_of(path: Path, **changed) -> list[Row]:
    """The rows, none of which may be wrong."""
    found = list(open_csv(path=path, layout=layout(**changed)).rows())
    assert all(isinstance(each, Row) for each in found), found
    return [each for each in found if isinstance(each, Row)]


def errors_of(path: Path, **changed) -> list[RowError]:
    """The rows' errors only."""
    return [each for each in open_csv(path=path, layout=layout(**changed)).rows() if isinstance(each, RowError)]
