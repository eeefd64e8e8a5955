"""A file is read as declared or refused with the remedy: bad-input rows 60 to 66 and 71, at the file's edge."""

import gzip
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evm.services.imports.csv_file import FileRefused, Row, RowError, open_csv
from tests.services.imports.sheets import errors_of, layout, rows_of, saved

HEADER = "customer,name,phone,note\n"


def refused(path, **changed) -> FileRefused:
    with pytest.raises(FileRefused) as caught:
        open_csv(path=path, layout=layout(**changed))
    return caught.value


def test_a_plain_file_is_read_by_our_names_with_its_line_numbers(tmp_path):
    """Numbering records instead of lines would send people to the wrong line of a file with an address over two lines."""
    path = saved(tmp_path, HEADER + 'c1, Ann ,0113,\n\nc2,"Bo\nb",,x\nc3,Cy,,\n\n\n')
    found = rows_of(path)
    assert [(row.number, row.values["customer"], row.values["name"]) for row in found] == [
        (2, "c1", "Ann"),
        (4, "c2", "Bo\nb"),
        (6, "c3", "Cy"),
    ]
    assert open_csv(path=path, layout=layout()).rows_total == 3


def test_lines_may_end_as_windows_ends_them_and_the_last_not_at_all(tmp_path):
    """Files from a spreadsheet on Windows would carry a carriage return into their last column."""
    assert rows_of(saved(tmp_path, "customer,name,phone,note\r\nc1,Ann,,end\r\nc2,Bob,,end"))[1].values["note"] == "end"


def test_row_60_a_utf8_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    """Excel's 'CSV UTF-8' begins with one; the first column would be missing by its name."""
    assert rows_of(saved(tmp_path, b"\xef\xbb\xbf" + (HEADER + "c1,Zoë,,£\n").encode()))[0].values == {
        "customer": "c1",
        "name": "Zoë",
        "phone": "",
        "note": "£",
    }


def test_row_60_windows_1252_is_refused_by_name_and_read_when_declared(tmp_path):
    """A pound sign would become a wrong letter without anybody being told."""
    path = saved(tmp_path, (HEADER + "c1,Ann,,\nc2,Bob,,£5\n").encode("cp1252"))
    wrong = refused(path)
    assert wrong.field == "encoding"
    assert "line 3" in wrong.words
    assert "Windows-1252" in wrong.words
    assert "£" in wrong.words
    assert rows_of(path, encoding="cp1252")[1].values["note"] == "£5"


def test_row_60_utf8_under_a_layout_that_says_windows_1252_is_refused(tmp_path):
    """`Â£5` would be stored: every byte of UTF-8 is some letter of Windows-1252."""
    wrong = refused(saved(tmp_path, (HEADER + "c1,Ann,,£5\n").encode()), encoding="cp1252")
    assert wrong.field == "encoding"
    assert "UTF-8" in wrong.words


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_row_60_utf16_is_refused_by_name(tmp_path, encoding):
    """Excel's 'Unicode text' would be read as letters with NULs between."""
    wrong = refused(saved(tmp_path, (HEADER + "c1,Ann,,\n").encode(encoding)))
    assert wrong.field == "encoding"
    assert "UTF-16" in wrong.words


@pytest.mark.parametrize(("delimiter", "named"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")])
def test_row_61_another_delimiter_is_an_error_of_the_header_that_says_so(tmp_path, delimiter, named):
    """Without it every column would be called missing, and nobody would know why."""
    path = saved(tmp_path, (HEADER + "c1,Ann,,\n").replace(",", delimiter))
    wrong = refused(path)
    assert wrong.field == "header"
    assert named in wrong.words
    assert rows_of(path, delimiter=delimiter)[0].values["name"] == "Ann"


@pytest.mark.parametrize(
    "body",
    [
        'c1,Ann,,\nc2,"Bob,,\nc3,Cy,,\nc4,Di,,\n',
        'c1,Ann,,\nc2,"Bob,,\nc3,"Cy",,\nc4,Di,,\n',
        'c1,Ann,,\nc2,"Bob,,\nc3,Cy,,"x"\nc4,Di,,\n',
        'c1,Ann,,\nc2,"Bob,,\nc3,Cy,,\nc4,Di,,y"\nc5,Ed,,\n',
        'c1,Ann,,\nc2,"Bob,,\n' + "c3,Cy,,\n" * 5_000,
        'c1,Ann,,\nc2,Bob "the boat",,"\n',
    ],
)
def test_row_62_a_quote_nobody_closed_refuses_the_file_and_names_its_line(tmp_path, body):
    """The rest of the file would become one customer's name, and the import would succeed with fewer people."""
    wrong = refused(saved(tmp_path, HEADER + body))
    assert wrong.field == "line 3"
    assert "line 3" in wrong.words
    assert "quote" in wrong.words


@given(kept=st.integers(0, 30), text=st.text(alphabet='ab", \n', max_size=12))
def test_row_62_every_quoted_text_is_read_as_it_was_written(tmp_path_factory, kept, text):
    """A reader that splits at line breaks or doubles quotes would change what people wrote."""
    quoted = '"' + text.replace('"', '""') + '"'
    path = saved(tmp_path_factory.mktemp("q"), HEADER + "c0,Ann,,\n" * kept + f"c1,Bob,,{quoted}\n" + "c2,Cy,,\n")
    if text.count(",") >= 3 and text.count("\n") >= 2:
        return  # a line of text that looks like a record is refused on purpose
    assert rows_of(path)[kept].values["note"] == text.strip()
    assert len(rows_of(path)) == kept + 2


def test_row_63_a_nul_rejects_its_row_and_the_rest_is_checked(tmp_path):
    """PostgreSQL cannot keep it and SQLite cuts the text there."""
    found = list(open_csv(path=saved(tmp_path, HEADER + "c1,A\x00nn,,\nc2,Bob,,\n"), layout=layout()).rows())
    assert isinstance(found[0], RowError)
    assert (found[0].row, "NUL" in found[0].words) == (2, True)
    assert isinstance(found[1], Row)


def test_row_63_a_carriage_return_inside_a_line_rejects_its_row(tmp_path):
    """Half of the line would be taken for another record by some programs and not by others."""
    assert [error.row for error in errors_of(saved(tmp_path, HEADER + 'c1,A\rnn,,\nc2,"B\rob",,\nc3,Cy,,\n'))] == [2, 3]


def test_row_63_a_file_with_carriage_returns_only_is_refused_whole(tmp_path):
    """It would be read as one line: a header and nobody in it."""
    assert "carriage returns" in refused(saved(tmp_path, "customer,name,phone,note\rc1,Ann,,\r")).words


@pytest.mark.parametrize("cell", ["x" * 10_001, "x" * 131_073, '"' + "x" * 200_000 + '"'])
def test_row_64_a_text_beyond_every_limit_is_its_rows_error_and_the_rest_is_checked(tmp_path, cell):
    """Python's reader stops altogether at 131,072 characters."""
    found = list(open_csv(path=saved(tmp_path, HEADER + f"c1,Ann,,{cell}\nc2,Bob,,\n"), layout=layout()).rows())
    assert isinstance(found[0], RowError)
    assert (found[0].row, "characters" in found[0].words) == (2, True)
    assert isinstance(found[1], Row)


def test_row_65_a_million_rows_and_eleven_megabytes_are_too_big(tmp_path):
    """Either would fill the memory of a small server or hold up everybody's writes."""
    rows = refused(saved(tmp_path, HEADER + "c,,,\n" * 1_000_000))
    assert (rows.too_big, rows.status) == (True, 413)
    assert "50,000" in rows.words
    size = refused(saved(tmp_path, HEADER + "c1,Ann,," + "x" * 11_000_000))
    assert (size.too_big, size.status) == (True, 413)
    assert "10,485,760" in size.words


def test_row_65_a_workbook_or_archive_is_refused_without_being_opened(tmp_path):
    """A workbook of forty kilobytes can unpack to gigabytes."""
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", "0" * 9_000_000)
    for path in (bomb, saved(tmp_path, gzip.compress(HEADER.encode())), saved(tmp_path, b"%PDF-1.7\n", name="a.pdf")):
        wrong = refused(path)
        assert wrong.status == 415
        assert "CSV" in wrong.words


def test_row_66_columns_are_found_by_name_in_any_order(tmp_path):
    """Reading by place would swap names and telephone numbers of a reordered export."""
    assert rows_of(saved(tmp_path, "note,phone,name,customer\nn,p,Ann,c1\n"))[0].values == {
        "customer": "c1",
        "name": "Ann",
        "phone": "p",
        "note": "n",
    }


@pytest.mark.parametrize(
    ("header", "field", "said"),
    [
        ("customer,name,phone", "note", "no column 'note'"),
        ("customer,Name,phone,note", "name", "There is 'Name'"),
        ("customer,name,phone,note,name", "name", "twice"),
        ("customer,name,phone,note,shoe size", "shoe size", "no column of layout"),
        ("customer,name,phone,note,", "header", "column 5 has no name"),
    ],
)
def test_row_66_a_header_that_is_not_the_layouts_is_refused_naming_the_column(tmp_path, header, field, said):
    """A misspelt column would otherwise be dropped, and its values with it."""
    wrong = refused(saved(tmp_path, header + "\n"))
    assert wrong.field == field
    assert said in wrong.words


def test_unknown_columns_are_kept_where_the_layout_says_so_and_optional_ones_may_be_missing(tmp_path):
    """A vendor's further columns would be lost; an absent column would be taken for emptied cells."""
    path = saved(tmp_path, "customer,name,note,shoe size\nc1,Ann,n,38\n")
    row = rows_of(path, keep_unknown=True, optional=frozenset({"phone"}))[0]
    assert row.extra == {"shoe size": "38"}
    assert "phone" not in row.values


def test_constants_and_declared_values_are_put_in_and_an_undeclared_value_is_its_rows_error(tmp_path):
    """`Y` would reach a rule that knows yes and no only."""
    changed = {
        "values": {"note": {"Y": "yes", "N": "no"}},
        "constants": {"provider": "p1"},
    }
    path = saved(tmp_path, HEADER + "c1,Ann,,Y\nc2,Bob,,\nc3,Cy,,maybe\n")
    found = list(open_csv(path=path, layout=layout(**changed)).rows())
    assert [each.values["note"] for each in found if isinstance(each, Row)] == ["yes", ""]
    assert all(each.values["provider"] == "p1" for each in found if isinstance(each, Row))
    assert isinstance(found[2], RowError)
    assert (found[2].row, found[2].field) == (4, "note")


def test_a_row_with_a_cell_too_many_or_too_few_is_named(tmp_path):
    """An unquoted comma in an address would shift every later column by one."""
    found = errors_of(saved(tmp_path, HEADER + "c1,Ann,,\nc2,1 High St, Leeds,,\nc3,Cy\n"))
    assert [(error.row, "cells" in error.words) for error in found] == [(3, True), (4, True)]


def test_an_empty_file_is_refused_and_one_with_only_a_header_has_no_rows(tmp_path):
    """Nought bytes is a failed export; a header alone is an export of nobody."""
    assert "empty" in refused(saved(tmp_path, "")).words
    assert rows_of(saved(tmp_path, HEADER)) == []
    assert rows_of(saved(tmp_path, HEADER + ",,,\n\n")) == []


def test_a_folder_or_missing_file_is_refused_by_name(tmp_path):
    """A traceback would tell nobody which file was meant."""
    assert "not a file" in refused(tmp_path).words
    assert "cannot be read" in refused(tmp_path / "missing.csv").words


def test_a_file_changed_between_its_check_and_its_reading_is_refused(tmp_path):
    """What was checked and hashed would not be what is stored."""
    path = saved(tmp_path, HEADER + "c1,Ann,,\n")
    opened = open_csv(path=path, layout=layout())
    saved(tmp_path, HEADER + "c1,Ann,,\nc2,Bob,,\n")
    with pytest.raises(FileRefused, match="changed"):
        list(opened.rows())


def test_the_same_rows_come_on_every_reading(tmp_path):
    """The dry run and the real run read the file each by themselves."""
    opened = open_csv(path=saved(tmp_path, HEADER + "c1,Ann,,\nc2,Bob,,\n"), layout=layout())
    assert [row.values for row in opened.rows()] == [row.values for row in opened.rows()]


def test_memory_does_not_grow_with_the_rows(tmp_path):
    """A file of 50,000 rows would otherwise stand in memory whole, and several at once would end a small server."""

    def peak(rows: int) -> int:
        path = saved(tmp_path, HEADER + "c1,Ann Example,01134960000,some words about somebody\n" * rows)
        tracemalloc.start()
        for row in open_csv(path=path, layout=layout()).rows():
            del row
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(40_000) < 4 * 2**20 + peak(1_000)
