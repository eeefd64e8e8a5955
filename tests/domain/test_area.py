"""Which locality a place belongs to, and which polygons can stand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evm.domain.area import (
    SLIVER_M2,
    Area,
    AreaRefused,
    Areas,
    check_geometry,
    outward_of,
    overlaps,
    packed,
    spaced,
    twice_claimed,
)
from evm.domain.ids import LocalityId


def square(west: float, south: float, *, side: float = 0.1, holes: Any = ()) -> dict[str, Any]:
    """A square of degrees with its south-west corner there."""
    east, north = west + side, south + side
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring, *holes]}


def area(name: str, geometry: dict[str, Any] | None = None, *codes: str) -> Area:
    return Area(locality_id=LocalityId(name), name=name.title(), outward_codes=codes, geometry=geometry)


def test_a_place_on_a_shared_border_belongs_to_the_first_locality_by_id() -> None:
    """Broken: a customer on the middle of a border street would belong to nobody, or to two providers at once."""
    areas = Areas(areas=(area("west", square(-2.3, 53.4)), area("east", square(-2.2, 53.4))))
    assert areas.at(latitude=53.45, longitude=-2.2) == "east"
    assert areas.at(latitude=53.45, longitude=-2.21) == "west"


def test_a_place_in_a_hole_is_outside() -> None:
    """Broken: an enclave of another council would be counted as ours."""
    hole = [[-2.26, 53.44], [-2.24, 53.44], [-2.24, 53.46], [-2.26, 53.46], [-2.26, 53.44]]
    areas = Areas(areas=(area("ring", square(-2.3, 53.4, holes=[hole])),))
    assert areas.at(latitude=53.45, longitude=-2.25) is None
    assert areas.at(latitude=53.41, longitude=-2.25) == "ring"


def test_polygons_go_before_outward_codes_and_these_before_nothing() -> None:
    """Broken: a locality drawn by hand would lose to the post office's areas; or one without a polygon would have no customers."""
    areas = Areas(areas=(area("drawn", square(-2.3, 53.4)), area("coded", None, "M14")))
    assert areas.of(postcode="M14 5AA", latitude=53.45, longitude=-2.25) == "drawn"
    assert areas.of(postcode="m145aa", latitude=53.6, longitude=-2.25) == "coded"
    assert areas.of(postcode="M14 5AA", latitude=None, longitude=None) == "coded"
    assert areas.of(postcode="M1 4AA", latitude=None, longitude=None) is None


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda at: (-2.5 + at[0] / 10, 53.0 + at[1] / 10)),
        min_size=1,
        max_size=8,
        unique=True,
    ),
    st.floats(-2.5, -1.8),
    st.floats(53.0, 53.7),
)
def test_a_place_covered_by_polygons_has_exactly_one_locality_whatever_their_order(
    corners: list[tuple[float, float]], longitude: float, latitude: float
) -> None:
    """Broken: the answer would depend on the order of rows in the database."""
    drawn = [area(f"l{number}", square(*corner)) for number, corner in enumerate(corners)]
    forward = Areas(areas=tuple(drawn)).at(latitude=latitude, longitude=longitude)
    assert Areas(areas=tuple(reversed(drawn))).at(latitude=latitude, longitude=longitude) == forward
    inside = any(west < longitude < west + 0.1 and south < latitude < south + 0.1 for west, south in corners)
    assert forward is not None or not inside


@pytest.mark.parametrize(
    "geometry, words",
    [
        ({"type": "Point", "coordinates": [-2.2, 53.4]}, "a Polygon or a MultiPolygon"),
        (None, "a Polygon or a MultiPolygon"),
        ({"type": "MultiPolygon", "coordinates": []}, "no coordinates"),
        ({"type": "Polygon", "coordinates": "abc"}, "no rings"),
        ({"type": "Polygon", "coordinates": [[[-2, 53], [-2.1, 53.1], [-2.1, 53], [-2, 53.1], [-2, 53]]]}, "crosses itself at"),
        ({"type": "Polygon", "coordinates": [[[-2, 53], [-2.1, 53.1], [-2.1, 53], [-2, 53.01]]]}, "not closed"),
        ({"type": "Polygon", "coordinates": [[[-2, 53], [-2.1, 53.1], [-2, 53]]]}, "has 3 positions"),
        ({"type": "Polygon", "coordinates": [[[-2, 53]] * 4]}, "encloses nothing"),
        (square(53.4, -2.2), "swapped"),
        (square(384000, 398000, side=1000), "National Grid"),
        (square(2.35, 48.8), "far outside"),
        (square(float("nan"), 53.4), "no position"),
        ({"type": "Polygon", "coordinates": [[["-2", "53"]] * 4]}, "no position"),
        ({"type": "Polygon", "coordinates": [[[True, 53]] * 4]}, "no position"),
    ],
)  # fmt: skip
def test_an_unsound_polygon_is_refused_with_its_fault(geometry: Any, words: str) -> None:
    """Broken: customers would silently fall out of a locality, or a library's traceback would be the answer."""
    with pytest.raises(AreaRefused, match=words):
        check_geometry(geometry)


def test_heights_of_some_positions_are_left_out() -> None:
    """Broken: a file from a mapping program that writes heights here and there would end in an error of the geometry library."""
    whole = square(-2.3, 53.4)
    high = [
        [west, south, 30.5] if number % 2 else [west, south]
        for number, (west, south) in enumerate(whole["coordinates"][0])
    ]
    assert check_geometry({"type": "Polygon", "coordinates": [high]}) == whole


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        (square(-2.3, 53.4) | {"type": ["Polygon"]}, "a locality is a Polygon or a MultiPolygon"),
        ({"type": "Polygon", "coordinates": [[[-2.3, 10**400], [-2.2, 53.4], [-2.2, 53.5], [-2.3, 10**400]]]}, "is no position"),
        ({"type": "Polygon", "coordinates": [[[-2.3, float("nan")]] * 4]}, "is no position"),
    ],
)  # fmt: skip
def test_what_no_program_expects_is_refused_as_any_other_fault(geometry: Any, words: str) -> None:
    """Broken: a damaged file would end in a traceback instead of a sentence that names the feature."""
    with pytest.raises(AreaRefused, match=words):
        check_geometry(geometry)


def test_a_sound_multipolygon_with_a_hole_stands() -> None:
    """Broken: a locality with an island, or around an enclave, could not be drawn."""
    hole = [[-2.26, 53.44], [-2.24, 53.44], [-2.24, 53.46], [-2.26, 53.46], [-2.26, 53.44]]
    two = [square(-2.3, 53.4, holes=[hole])["coordinates"], square(-2.1, 53.4)["coordinates"]]
    made = check_geometry({"type": "MultiPolygon", "coordinates": two, "foreign": 1})
    assert made == {"type": "MultiPolygon", "coordinates": two}


def test_two_overlapping_localities_are_both_named_and_touching_ones_are_not() -> None:
    """Broken: two providers would have the exclusive right to one street."""
    first, second, third = area("b", square(-2.3, 53.4)), area("a", square(-2.25, 53.4)), area("c", square(-2.3, 53.5))
    (dispute,) = overlaps([first, second, third])
    assert (dispute.first, dispute.second) == ("a", "b")
    assert dispute.square_metres == pytest.approx(0.05 * 0.1 * 111_195**2 * 0.5955, rel=0.01)


def test_a_sliver_between_borders_drawn_apart_is_no_dispute() -> None:
    """Broken: no two real maps could ever be taken in."""
    first, second = area("a", square(-2.3, 53.4)), area("b", square(-2.2000001, 53.4))
    assert overlaps([first, second]) == ()
    assert SLIVER_M2 == 1_000


def test_an_outward_code_of_two_localities_is_found() -> None:
    """Broken: a customer's locality would follow from the order of two rows."""
    assert twice_claimed([area("b", None, "M14", "M15"), area("a", None, "m14")]) == (("M14", "a", "b"),)


@pytest.mark.parametrize(
    "text, outward, whole",
    [("m14 5aa", "M14", "M14 5AA"), ("M145AA", "M14", "M14 5AA"), (" ec1a 1bb ", "EC1A", "EC1A 1BB"), ("GIR 0AA", "GIR", "GIR 0AA")],
)  # fmt: skip
def test_a_postcode_is_read_however_it_is_spaced(text: str, outward: str, whole: str) -> None:
    """Broken: the same home would be in two places by its spelling."""
    found = packed(text)
    assert found is not None
    assert spaced(found) == whole
    assert outward_of(text) == outward


@pytest.mark.parametrize("text", ["", "M14 5A", "5AA M14", "M14", "M14 5AAA", "MÄ4 5AA"])
def test_what_is_no_postcode_is_none(text: str) -> None:
    """Broken: a mistyped postcode would be looked up by its first letters."""
    assert packed(text) is None
