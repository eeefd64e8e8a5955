"""`popback bench roster`: what it prints and what it refuses. Not how good the rosters are."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema

from tests.api.test_commands import INSTANCE, SCHEMAS, popback


def test_a_small_day_with_a_sick_worker_prints_one_object_that_fits_its_schema(tmp_path: Path) -> None:
    """Broken when a key of the targets is missing, or progress lands on standard output."""
    done = popback(
        *("bench", "roster", "--workers", "5", "--visits", "24", "--seconds", "1", "--sick", "any", "--json"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    jsonschema.validate(result, json.loads((SCHEMAS / "bench_roster.json").read_text()))
    assert result["violations"] == 0
    assert result["unassigned_bound"] <= result["unassigned"]
    assert 0 < result["lower_bound"] <= result["travel_minutes"] == result["days_alone_travel_minutes"]
    assert result["top3_share"] <= result["top3_bound"]
    assert result["replan_violations"] == 0
    assert "bounds" in done.stderr


def test_a_small_week_is_measured_beside_its_days_alone(tmp_path: Path) -> None:
    """Broken when the week breaks a rule, or beats a bound that holds for every week."""
    done = popback(
        *("bench", "roster", "--workers", "7", "--visits", "16", "--days", "7", "--seconds", "8", "--json"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    jsonschema.validate(result, json.loads((SCHEMAS / "bench_roster.json").read_text()))
    assert result["violations"] == 0
    assert result["visits"] == 7 * 16
    assert result["unassigned_bound"] <= result["unassigned"]
    assert result["top3_share"] <= result["top3_bound"] <= 1
    assert 0 < result["lower_bound"] <= min(result["travel_minutes"], result["days_alone_travel_minutes"])


def test_an_instance_file_can_be_measured(tmp_path: Path) -> None:
    """Broken when only generated localities can be measured."""
    (tmp_path / "two.json").write_text(json.dumps(INSTANCE))
    done = popback("bench", "roster", "--instance", "two.json", "--seconds", "1", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["visits"], result["workers"], result["unassigned"]) == (2, 2, 0)


def test_what_cannot_be_measured_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """Broken when a mistyped worker or file ends in a traceback, or is measured as something else."""
    nobody = popback(
        *("bench", "roster", "--workers", "3", "--visits", "6", "--seconds", "0.5", "--sick", "w999"), cwd=tmp_path
    )
    assert nobody.returncode == 2
    assert "--sick: 'w999'" in nobody.stderr
    missing = popback("bench", "roster", "--instance", "none.json", "--seconds", "1", cwd=tmp_path)
    assert missing.returncode == 2
    assert "none.json" in missing.stderr
    assert "Traceback" not in nobody.stderr + missing.stderr
    endless = popback("bench", "roster", "--seconds", "inf", cwd=tmp_path)
    assert endless.returncode == 2
    assert "--seconds" in endless.stderr


def test_sizes_are_measured_a_row_each_and_drawn(tmp_path: Path) -> None:
    """Broken when the picture of quality, time and memory against size is not of the rows that were measured."""
    done = popback(
        *("bench", "roster", "--sizes", "30,12", "--seconds", "0.5", "--plot", "sizes.svg", "--json"), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    jsonschema.validate(result, json.loads((SCHEMAS / "bench_roster_sizes.json").read_text()))
    assert [row["visits"] for row in result["sizes"]] == [12, 30]
    drawn = ET.parse(tmp_path / "sizes.svg").getroot()
    words = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"12", "30", "Peak memory (MB)"} <= set(words)
    wrong = popback("bench", "roster", "--sizes", "30,many", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "--sizes: 'many'" in wrong.stderr


def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    """Broken: a picture without sizes is never drawn and nobody says so, or the night's figures are lost with it."""
    alone = popback("bench", "roster", "--plot", "sizes.svg", "--seconds", "600", cwd=tmp_path)
    nowhere = popback(
        *("bench", "roster", "--sizes", "12", "--plot", "none/sizes.svg", "--seconds", "600"), cwd=tmp_path
    )
    assert (alone.returncode, nowhere.returncode) == (2, 2)
    assert "--plot: it draws the rows of --sizes" in alone.stderr
    assert "--plot: none/sizes.svg is no place for a file" in nowhere.stderr
