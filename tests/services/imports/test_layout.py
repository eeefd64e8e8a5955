"""A layout says all about a file's form, or is refused naming the key at fault."""

import pytest

from evm.services.imports.layout import LayoutRefused, layout_named, layout_of, load_layout
from tests.services.imports.sheets import saved

WHOLE = """
[layout]
name = "oldcare"
kind = "customers"
delimiter = ";"
encoding = "cp1252"
dates = "dd/mm/yyyy"
keep_unknown = true
optional = ["note"]
[layout.columns]
customer = "Client Ref"
note = "Notes"
[layout.values.note]
Y = "yes"
[layout.constants]
provider = "p1"
"""


def test_a_layout_is_read_from_its_file(tmp_path):
    """Every key an agency writes must reach the reading."""
    found = load_layout(path=saved(tmp_path, WHOLE, name="oldcare.toml"))
    assert (found.name, found.kind, found.delimiter, found.encoding, found.dates) == (
        "oldcare",
        "customers",
        ";",
        "cp1252",
        "dd/mm/yyyy",
    )
    assert found.columns == {"customer": "Client Ref", "note": "Notes"}
    assert (found.values, found.constants, found.optional) == (
        {"note": {"Y": "yes"}},
        {"provider": "p1"},
        frozenset({"note"}),
    )
    assert found.keep_unknown


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"encoding": "utf-7"}, "encoding"),
        ({"delimiter": "::"}, "delimiter"),
        ({"dates": "mm/dd/yyyy"}, "dates"),
        ({"zone": "BST"}, "zone"),
        ({"zone": "GMT+1"}, "zone"),
        ({"columns": {}}, "columns"),
        ({"columns": {"a": "X", "b": "X"}}, "columns.a"),
        ({"columns": {"a": " "}}, "columns.a"),
        ({"constants": {"a": "x"}}, "constants.a"),
        ({"values": {"b": {}}}, "values.b"),
        ({"optional": ["b"]}, "optional"),
        ({"keep_unknown": "yes"}, "keep_unknown"),
        ({"name": "Old Care"}, "name"),
        ({"colums": {}}, "colums"),
    ],
)
def test_row_83_and_others_a_key_that_cannot_be_used_is_named(changed, field):
    """`BST` and `GMT+1` name offsets, not zones, and would be an hour wrong for half the year."""
    with pytest.raises(LayoutRefused) as caught:
        layout_of({"name": "x", "kind": "customers", "columns": {"a": "A"}} | changed)
    assert caught.value.field == field


def test_a_layout_of_another_kind_or_that_is_not_there_is_refused(tmp_path):
    """A workers' layout on a customers' file would read names as addresses."""
    path = saved(tmp_path, WHOLE, name="oldcare.toml")
    assert layout_named(name=str(path), kind="customers").name == "oldcare"
    for name, kind in (
        (str(path), "workers"),
        ("no-such", "customers"),
        ("../../x", "customers"),
        ("x.toml", "customers"),
    ):
        with pytest.raises(LayoutRefused):
            layout_named(name=name, kind=kind)
    with pytest.raises(LayoutRefused, match="TOML"):
        load_layout(path=saved(tmp_path, "= =", name="bad.toml"))
