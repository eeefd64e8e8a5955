"""What holds for every kind of file: its template is read as it says, its columns stand on the page, its errors have columns."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.intake import template_of
from api.intake_pages import PAGE, written
from evm.services.imports.csv_file import Row, open_csv
from evm.services.imports.kind import ImportKind, check_layout, read_row, standard_layout
from evm.services.imports.kinds import KINDS
from evm.services.imports.layout import LayoutRefused, layout_names, layout_of
from tests.services.imports.files import kind_named
from tests.services.imports.sheets import saved

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 22, tzinfo=UTC)
COLUMNS = {"customer": "Ref", "name": "Name", "address": "Address", "postcode": "Post Code"}
LAYOUTS = {
    path.stem: tomllib.loads(path.read_text(encoding="utf-8"))["layout"]
    for path in (ROOT / "evm" / "services" / "imports" / "layouts").glob("*.toml")
}
TESTED_ELSEWHERE = ("claim", "feed", "refs")
"""Kinds that lead on to invoices and evidence: what they do is tested with those."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_template_is_read_without_an_error(kind: ImportKind, tmp_path):
    """The first file anybody tries is the template: an example that is refused teaches nothing."""
    layout = standard_layout(kind)
    (row,) = open_csv(path=saved(tmp_path, template_of(kind)), layout=layout).rows()
    assert isinstance(row, Row)
    _, errors = read_row(row, fields=kind.fields, layout=layout)
    assert errors == ()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_columns_are_named_once_and_say_what_they_hold(kind: ImportKind):
    """Two columns of one name would hide each other, and one without words be filled by guessing."""
    names = [field.name for field in kind.fields]
    assert len(set(names)) == len(names)
    assert all(field.words and (field.example or not field.required) for field in kind.fields)
    assert kind.words.endswith(".")


@pytest.mark.parametrize("name", layout_names())
def test_every_packaged_layout_fits_its_kind(name: str):
    """A vendor's layout with a misspelt field would refuse every row, or lose a column."""
    layout = layout_of(LAYOUTS[name])
    check_layout(layout, kind=kind_named(layout.kind))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"columns": {"customer": "Ref"}}, "columns.name"),
        ({"columns": COLUMNS | {"shoe_size": "Shoes"}}, "columns.shoe_size"),
        ({"optional": ["customer"]}, "columns.customer"),
        ({"kind": "workers"}, "kind"),
    ],
)
def test_a_layout_that_does_not_fit_its_kind_is_refused_before_any_row(changed, field):
    """Fifty thousand rows would each lack the same column."""
    layout = layout_of({"name": "x", "kind": "customers", "columns": COLUMNS} | changed)
    with pytest.raises(LayoutRefused) as caught:
        check_layout(layout, kind=kind_named("customers"))
    assert caught.value.field == field


@pytest.mark.parametrize("name", TESTED_ELSEWHERE)
def test_kinds_tested_elsewhere_are_there(name: str):
    """A kind that was taken away would stay promised on the page."""
    assert kind_named(name).name == name


def test_the_page_of_imports_has_every_kinds_columns_as_they_are():
    """People fill files by the page: `python -m api.intake_pages` writes it anew."""
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    assert written(page) == page


def test_the_pages_layout_is_one_that_can_be_used():
    """People begin from the example: a key that has changed since would refuse their first file."""
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    block = page.partition("```toml\n")[2].partition("```")[0]
    layout = layout_of(tomllib.loads(block)["layout"])
    check_layout(layout, kind=kind_named(layout.kind))
