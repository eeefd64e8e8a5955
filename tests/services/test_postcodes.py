"""National postcode files: all of one or nothing, once, with the row at fault named. Every row here is invented."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from evm.gateways.postcode_files import PostcodesRefused, to_degrees
from evm.services.localities import places_of
from evm.services.postcodes import Loaded, PostcodesStopped, spooled, store_postcodes
from evm.store import postcodes
from tests.factories import NINE

ONSPD = "pcd,pcd2,pcds,dointr,doterm,usertype,oseast1m,osnrth1m,lat,long\n"


def onspd(postcode: str, latitude: str = "53.450000", longitude: str = "-2.220000", ended: str = "") -> str:
    outward, inward = postcode.split()
    return f"{outward:<4}{inward},{outward} {inward},{postcode},198001,{ended},0,385400,395000,{latitude},{longitude}\n"


def codepoint(postcode: str, eastings: str = "385400", northings: str = "395000", quality: str = "10") -> str:
    return f'"{postcode.replace(" ", "")}",{quality},{eastings},{northings},E92000001,,E18000002,,E08000003,E05000713\n'


def write(folder: Path, text: str | bytes, name: str = "postcodes.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def load(session: Session, path: Path, **given: Any) -> Loaded:
    how = {"form": "onspd", **given}
    replace = bool(how.get("replace"))
    with spooled(path=path, **how) as rows:
        return store_postcodes(session, rows=rows, replace=replace, now=NINE)


def known(session: Session, *asked: str) -> dict[str, tuple[float | None, float | None]]:
    return {text: (one.latitude, one.longitude) for text, one in places_of(session, postcodes=asked).items()}


def test_postcodes_are_where_the_national_directory_says(session: Session, tmp_path: Path) -> None:
    """Broken: every customer of a postcode would be visited, and paid for, somewhere else."""
    text = (
        ONSPD
        + onspd("M14 5AA", "53.451234", "-2.220001")
        + onspd("BT1 1AA", "54.600000", "-5.930000")
        + onspd("W1A 0AX", ended="202403")
    )
    done = load(session, write(tmp_path, text))
    assert (done.rows, done.known, done.already) == (3, 3, False)
    assert known(session, "M14 5AA", "bt11aa") == {"M14 5AA": (53.451234, -2.220001), "bt11aa": (54.6, -5.93)}
    assert places_of(session, postcodes=["W1A 0AX"])["W1A 0AX"].terminated_month == 202403


def test_a_postcode_without_a_grid_reference_is_known_without_a_position(session: Session, tmp_path: Path) -> None:
    """Broken: people of the Isle of Man would live at the north pole."""
    load(session, write(tmp_path, ONSPD + onspd("IM1 1AA", "99.999999", "0.000000")))
    assert known(session, "IM1 1AA") == {"IM1 1AA": (None, None)}


@pytest.mark.parametrize(
    "eastings, northings, latitude, longitude",
    [
        (91492.146, 11318.804, 49.92226394, -6.29977752),
        (651409.903, 313177.270, 52.65797, 1.71605),
    ],
)
def test_the_national_grid_is_read_to_within_ten_metres(
    eastings: float, northings: float, latitude: float, longitude: float
) -> None:
    """Broken: homes would lie in the sea. The points are the Ordnance Survey's own published examples (St Mary's, Caister)."""
    (point,) = to_degrees([("TR211AA", (round(eastings), round(northings)), 1)])
    assert point.latitude_e6 == pytest.approx(latitude * 1e6, abs=90)
    assert point.longitude_e6 == pytest.approx(longitude * 1e6, abs=140)


def test_a_folder_of_code_point_files_is_one_load(session: Session, tmp_path: Path) -> None:
    """Broken: a hundred and twenty files would be a hundred and twenty commands, half of them done when one is wrong."""
    write(tmp_path, codepoint("M14 5AA") + codepoint("M1 1AA", "0", "0", quality="90"), "m.csv")
    write(tmp_path, codepoint("SK1 1AA", "390000", "390000"), "sk.csv")
    write(tmp_path, "not read", "readme.txt")
    assert load(session, tmp_path, form="codepoint").known == 3
    found = known(session, "M14 5AA", "M1 1AA")
    assert found["M1 1AA"] == (None, None)
    assert found["M14 5AA"] == (pytest.approx(53.4515, abs=0.001), pytest.approx(-2.2212, abs=0.001))


def test_the_same_file_twice_is_loaded_once(session: Session, tmp_path: Path) -> None:
    """Broken: a nightly job would write two million rows for nothing."""
    path = write(tmp_path, ONSPD + onspd("M14 5AA"))
    assert not load(session, path).already
    assert load(session, path).already
    assert not load(session, path, only=["M"]).already, "something else was asked of it"


def test_a_newer_file_moves_and_adds_and_forgets_only_when_asked(session: Session, tmp_path: Path) -> None:
    """Broken: an area's file would wipe out the rest of the country, or old positions stay for ever."""
    load(session, write(tmp_path, ONSPD + onspd("M14 5AA") + onspd("M14 5AB") + onspd("MK1 1AA")))
    load(session, write(tmp_path, ONSPD + onspd("M14 5AA", "53.5")))
    assert known(session, "M14 5AA", "M14 5AB", "MK1 1AA").keys() == {"M14 5AA", "M14 5AB", "MK1 1AA"}
    assert known(session, "M14 5AA") == {"M14 5AA": (53.5, -2.22)}
    done = load(session, write(tmp_path, ONSPD + onspd("M14 5AA", "53.6")), only=["M"], replace=True)
    assert (done.removed, done.known) == (2, 2)
    assert known(session, "M14 5AA", "M14 5AB", "MK1 1AA").keys() == {"M14 5AA", "MK1 1AA"}


def test_only_the_areas_asked_for_are_taken(session: Session, tmp_path: Path) -> None:
    """Broken: a council would keep the whole country, or "M" would bring Milton Keynes."""
    text = ONSPD + "".join(onspd(each) for each in ("M14 5AA", "MK1 1AA", "SK1 1AA"))
    load(session, write(tmp_path, text), only=["m", " SK "])
    assert known(session, "M14 5AA", "MK1 1AA", "SK1 1AA").keys() == {"M14 5AA", "SK1 1AA"}


BROKEN = [
    (onspd("M14 5AA", "5x.4"), r"row 2, lat: '5x.4' is not a number"),
    (onspd("M14 5AA", "48.85"), r"row 2, lat: 48.85 is outside the United Kingdom"),
    (onspd("M14 5AA", "-2.22", "53.45"), r"row 2, lat: -2.22 is outside"),
    (onspd("M14 5AA", "nan"), r"row 2, lat: nan is outside"),
    (onspd("M14 5AA", ended="2024"), r"row 2, doterm: '2024' is not a month"),
    (onspd("M14 5AA") + onspd("M14 5A1"), r"row 3, pcds: 'M14 5A1' has not the form"),
    (onspd("M14 5AA") + "a,b\n", r"row 3: it has 2 columns, the header 10"),
    (onspd("M14 5AA") + '"open', r"row 3: this is not CSV"),
    (onspd("M14 5AA") * 2, r"M145AA stands there twice"),
    ("", r"there is no postcode in it"),
]


@pytest.mark.parametrize("rows, words", BROKEN)
def test_a_malformed_row_is_named_and_nothing_is_loaded(
    session: Session, tmp_path: Path, rows: str, words: str
) -> None:
    """Broken: a damaged download would be half loaded, or its fault be a traceback among millions of rows."""
    with pytest.raises(PostcodesRefused, match=words):
        load(session, write(tmp_path, ONSPD + rows))
    assert postcodes.count(session) == 0


@pytest.mark.parametrize(
    "text, form, words",
    [
        ("a,b\n1,2\n", "onspd", "no column pcds or pcd"),
        (ONSPD.replace("pcd2", "lat"), "onspd", "the header has lat twice"),
        (ONSPD + onspd("M14 5AA"), "codepoint", "row 1: .*10 columns|no header"),
        (codepoint("M14 5AA", "x"), "codepoint", "row 1, eastings: 'x' is not metres"),
        (codepoint("M14 5AA", quality="7"), "codepoint", "no positional quality"),
        (b"\xff\xfe\0p", "onspd", "not UTF-8"),
        ((ONSPD + "\x80").encode("latin-1"), "onspd", "not UTF-8"),
    ],
)
def test_another_kind_of_file_is_refused(tmp_path: Path, text: str | bytes, form: Any, words: str) -> None:
    """Broken: the wrong download would be read as postcodes."""
    with pytest.raises(PostcodesRefused, match=words), spooled(path=write(tmp_path, text), form=form):
        pass


def test_archives_missing_files_and_empty_folders_are_refused_with_the_remedy(tmp_path: Path) -> None:
    """Broken: an archive would be opened, or a mistyped path be a traceback."""
    for path, words in (
        (write(tmp_path, b"PK", "onspd.zip"), "unpack it"),
        (tmp_path / "nothing.csv", "no such file or folder"),
        (tmp_path, "no CSV file in this folder"),
    ):
        with pytest.raises(PostcodesRefused, match=words), spooled(path=path, form="onspd"):
            pass
    with (
        pytest.raises(PostcodesRefused, match="'14' is not a postcode area"),
        spooled(path=write(tmp_path, ONSPD), form="onspd", only=["14"]),
    ):
        pass


def test_a_load_that_is_stopped_leaves_what_was_there(session: Session, tmp_path: Path) -> None:
    """Broken: Ctrl-C half-way would leave half a country."""
    load(session, write(tmp_path, ONSPD + onspd("M14 5AA")))
    session.commit()
    newer = write(tmp_path, ONSPD + onspd("M14 5AA", "53.9") + onspd("M14 5AB"))
    with pytest.raises(PostcodesStopped), spooled(path=newer, form="onspd", stop=lambda: True):
        pass
    with spooled(path=newer, form="onspd") as rows, pytest.raises(PostcodesStopped):
        store_postcodes(session, rows=rows, replace=True, now=NINE + timedelta(hours=1), stop=lambda: True)
    session.rollback()
    assert known(session, "M14 5AA", "M14 5AB") == {"M14 5AA": (53.45, -2.22)}


def _many(count: int) -> Iterator[str]:
    letters = "ABDEFGHJLNPQRSTUWXYZ"
    for number in range(count):
        rest, last = divmod(number, 20)
        rest, middle = divmod(rest, 20)
        district, digit = divmod(rest, 10)
        yield f"M{district + 1} {digit}{letters[middle]}{letters[last]}"


def test_progress_is_told_to_its_end(session: Session, tmp_path: Path) -> None:
    """Broken: a load of minutes would look like one that hangs."""
    path = write(tmp_path, ONSPD + "".join(onspd(each) for each in _many(25_000)))
    told: dict[str, list[tuple[int, int]]] = {}

    def report(what: str, done: int, total: int) -> None:
        told.setdefault(what, []).append((done, total))

    with spooled(path=path, form="onspd", report=report) as rows:
        store_postcodes(session, rows=rows, now=NINE, report=report)
    for what, total in (("reading", path.stat().st_size), ("storing", 25_000)):
        assert told[what] == sorted(told[what]), "progress never goes back"
        assert told[what][-1] == (total, total)
        assert len(told[what]) >= 3


def test_memory_holds_no_rows(tmp_path: Path) -> None:
    """Broken: 2.6 million rows would need gigabytes. Eight bytes a row are kept to find twins; the rows pass through a file."""
    path = write(tmp_path, ONSPD + "".join(onspd(each) for each in _many(1_000)))
    with spooled(path=path, form="onspd") as rows:
        assert rows.spool.tell() == 1_000 * 19
    assert (rows.rows, rows.rows_read, rows.without_position, rows.terminated) == (1_000, 1_000, 0, 0)
