"""`popback locality …` as an operator types it."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker
from typer.testing import CliRunner, Result

from api.cli import app
from evm.domain.ids import ProviderId
from evm.domain.people import Provider
from evm.store import people, postcodes
from tests import factories
from tests.domain.test_area import square
from tests.services.test_postcodes import ONSPD, onspd

Run = Any


@pytest.fixture
def run(database_url: str, sessions: sessionmaker[Session], tmp_path: Path) -> Run:
    """Types a command against a small town."""
    with sessions.begin() as session:
        factories.seed(session)
        people.add_providers(session, providers=[Provider(provider_id=ProviderId("other"), name="Other")])

    def type_(*words: object) -> Result:
        line = ["locality", *map(str, words), "--data", str(tmp_path / "data"), "--database", database_url]
        return CliRunner().invoke(app, line)

    return type_


def answer(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def geojson(folder: Path, **drawn: dict[str, Any]) -> Path:
    features = [{"type": "Feature", "id": key, "properties": {"name": key.title()}, "geometry": shape} for key, shape in drawn.items()]  # fmt: skip
    path = folder / "areas.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_from_a_postcode_file_and_polygons_to_customers_in_their_localities(run: Run, tmp_path: Path) -> None:
    """Broken: a council could not get from its own files to who lives where."""
    file = tmp_path / "onspd.csv"
    file.write_text(ONSPD + onspd("M14 5AA", "53.45", "-2.25"))
    loaded = answer(run("postcodes", file, "--json"))
    assert (loaded["loaded"], loaded["known"], loaded["already"]) == (1, 1, False)
    assert answer(run("postcodes", file, "--json"))["already"]
    drawn = geojson(tmp_path, park=square(-2.3, 53.4), river=square(-2.2, 53.4))
    told = answer(run("polygons", drawn, "--council", "manchester", "--dry-run", "--json"))
    assert (told["new"], told["dry_run"]) == (2, True)
    assert [each["locality"] for each in answer(run("list", "--json"))["localities"]] == ["m14"]
    assert answer(run("polygons", drawn, "--council", "manchester", "--json"))["new"] == 2
    where = answer(run("where", "m14 5aa", "--json"))
    assert (where["postcode"], where["latitude"], where["locality"]) == ("M14 5AA", 53.45, "park")
    would = answer(run("place-customers", "--council", "manchester", "--dry-run", "--json"))
    assert (would["moved"], would["moves"]) == (1, [{"customer": "c1", "was": "m14", "to": "park"}])
    done = run("place-customers", "--council", "manchester")
    assert done.exit_code == 0
    assert "c1: m14 → park" in done.stdout
    (park,) = [each for each in answer(run("list", "--json"))["localities"] if each["locality"] == "park"]
    assert (park["customers"], park["polygon"], park["name"]) == (1, True, "Park")


def test_contracts_are_added_listed_and_ended(run: Run) -> None:
    """Broken: a council could not write down or end what it has commissioned."""
    first = ("--provider", "kindly", "--locality", "m14", "--since", "2026-04-01")
    made = answer(run("contract", "add", "c-1", *first, "--json"))
    assert (made["council"], made["exclusive"], made["until"]) == ("manchester", True, None)
    second = ("--provider", "other", "--locality", "m14", "--since", "2027-04-01")
    refused = run("contract", "add", "c-2", *second)
    assert refused.exit_code == 2
    assert "c-1 (kindly in m14, exclusive, from 2026-04-01) and c-2 (other in m14" in refused.stderr
    answer(run("contract", "end", "c-1", "--until", "2027-04-01", "--json"))
    answer(run("contract", "add", "c-2", *second, "--shared", "--json"))
    assert run("contract", "list").stdout.splitlines() == [
        "c-1 (kindly in m14, exclusive, from 2026-04-01 until 2027-04-01)",
        "c-2 (other in m14, shared, from 2027-04-01)",
    ]
    assert answer(run("contract", "list", "--provider", "other", "--json"))["contracts"][0]["since"] == "2027-04-01"


def test_a_locality_is_set_with_its_codes(run: Run) -> None:
    """Broken: outward codes could not be given or taken away without a file."""
    assert answer(run("set", "south", "--council", "manchester", "--name", "South", "--outward", "M20, m21", "--json")) == {"locality": "south", "outcome": "new"}  # fmt: skip
    assert answer(run("set", "south", "--council", "manchester", "--outward", "", "--json"))["outcome"] == "changed"
    assert "South (manchester): no outward codes, no polygon, 0 customers" in run("list").stdout


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("set", "park", "--council", "leeds", "--name", "P"), "council: there is no council 'leeds'"),
        (("set", "park", "--council", "manchester"), "name: give it a name"),
        (("set", "m20", "--council", "manchester", "--name", "D", "--outward", "M14"), "M14 belongs to locality m14"),
        (("where", "nowhere"), "has not the form of a postcode"),
        (("place-customers", "--council", "leeds"), "there is no council 'leeds'"),
        (("postcodes", "nothing.csv"), "no such file or folder; nothing was loaded"),
        (("polygons", "nothing.geojson", "--council", "manchester"), "cannot be read"),
        (("contract", "end", "c-9", "--until", "2027-01-01"), "there is no contract 'c-9'"),
        (("contract", "add", "c", "--provider", "x", "--locality", "m14", "--since", "2026-01-01"), "it knows kindly, other"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_answered_with_the_remedy(run: Run, words: tuple[str, ...], sentence: str) -> None:
    """Broken: a mistyped word would end in a traceback."""
    refused = run(*words)
    assert refused.exit_code == 2
    assert sentence in refused.stderr
    assert "Traceback" not in refused.output


def test_every_unsound_feature_of_a_file_is_named_and_nothing_is_changed(run: Run, tmp_path: Path) -> None:
    """Broken: polygons would be mended one command at a time, or half of them taken."""
    bow = {"type": "Polygon", "coordinates": [[[-2, 53], [-2.1, 53.1], [-2.1, 53], [-2, 53.1], [-2, 53]]]}
    drawn = geojson(tmp_path, park=square(-2.3, 53.4), bow=bow, swapped=square(53.4, -2.2))
    refused = run("polygons", drawn, "--council", "manchester")
    assert refused.exit_code == 2
    assert "feature 2 (bow): it is not a sound polygon: its border crosses itself at [-2.05, 53.05]" in refused.stderr
    assert "feature 3 (swapped): [53.4, -2.2] has latitude and longitude swapped" in refused.stderr
    over = geojson(tmp_path, park=square(-2.3, 53.4), river=square(-2.25, 53.4))
    assert "park and river overlap by" in run("polygons", over, "--council", "manchester").stderr
    assert [each["locality"] for each in answer(run("list", "--json"))["localities"]] == ["m14"]


@pytest.mark.parametrize(
    "text, words",
    [
        ("{", "is not JSON"),
        ('{"type": "Point"}', "no GeoJSON FeatureCollection"),
        ('{"type": "FeatureCollection", "features": []}', "has no features"),
        ('{"type": "FeatureCollection", "features": [1]}', "feature 1: it is no GeoJSON Feature"),
        ('{"type": "Feature", "properties": {"name": "X"}, "geometry": null}', "feature 1 (X): it does not say whose it is"),
        ('{"type": "Feature", "id": "p", "crs": {"properties": {"name": "EPSG:27700"}}}', "another coordinate system"),
    ],
)  # fmt: skip
def test_what_is_no_geojson_is_refused(run: Run, tmp_path: Path, text: str, words: str) -> None:
    """Broken: a file saved in the wrong way would be a traceback."""
    path = tmp_path / "areas.geojson"
    path.write_text(text)
    refused = run("polygons", path, "--council", "manchester")
    assert refused.exit_code == 2
    assert words in refused.stderr


def test_ctrl_c_while_postcodes_are_loaded_leaves_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sessions: sessionmaker[Session]
) -> None:
    """Broken: an impatient operator would leave half a country."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "onspd.csv"
    file.write_text(ONSPD + onspd("M14 5AA"))
    monkeypatch.setattr(postcodes, "note_file", interrupted)
    stopped = run("postcodes", file)
    assert stopped.exit_code == 130
    assert "stopped; nothing was loaded" in stopped.stderr
    with sessions() as session:
        assert postcodes.count(session) == 0


def test_days_are_days(run: Run) -> None:
    """Broken: 04/03/2026 would be read as one of two days."""
    refused = run("contract", "add", "c", "--provider", "kindly", "--locality", "m14", "--since", "04/03/2026")
    assert refused.exit_code == 2
    assert date(2026, 4, 3).isoformat() not in refused.output
