"""The command line: what it prints, what it refuses and how. Not what the commands do (their own tests)."""

import gzip
import json
import math
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).parent.parent.parent
SCHEMAS = ROOT / "api" / "schema"
INSTANCE = {
    "patients": [
        {
            "id": "p1",
            "location": [0, 3],
            "time_window": [0, 60],
            "required_caregivers": [{"service": "s1", "duration": 10}],
        },
        {
            "id": "p2",
            "location": [4, 0],
            "time_window": [0, 60],
            "required_caregivers": [{"service": "s1", "duration": 10}, {"service": "s2", "duration": 10}],
            "synchronization": {"type": "simultaneous"},
        },
    ],
    "services": [{"id": "s1", "default_duration": 10}, {"id": "s2", "default_duration": 10}],
    "caregivers": [{"id": "c1", "abilities": ["s1", "s2"]}, {"id": "c2", "abilities": ["s1", "s2"]}],
    "central_offices": [{"id": "d", "location": [0, 0]}],
    "distances": [[0, 3, 4], [3, 0, 5], [4, 5, 0]],
}


def no_proof() -> dict[str, object]:
    """Forty patients round an office, whose best roster no bound proves: a search of it goes on until it is stopped."""
    at = [(0, 0), *((7 * i % 41, 11 * i % 37) for i in range(1, 41))]
    return INSTANCE | {
        "patients": [
            {
                "id": f"p{i}",
                "location": list(at[i]),
                "time_window": [6 * i, 6 * i + 90],
                "required_caregivers": [{"service": f"s{1 + i % 2}", "duration": 10}],
            }
            for i in range(1, 41)
        ],
        "distances": [[math.dist(a, b) for b in at] for a in at],
    }


def popback(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_solve_prints_one_object_that_fits_its_committed_schema(tmp_path: Path) -> None:
    """Broken when a script that reads `popback solve --json` gets another key, or a line of progress, on standard output."""
    file = tmp_path / "two.json.gz"
    file.write_bytes(gzip.compress(json.dumps(INSTANCE).encode()))
    done = popback("solve", str(file), "--seconds", "1", "--seed", "3", "--out", "out.json", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    jsonschema.validate(result, json.loads((SCHEMAS / "solve.json").read_text()))
    # both workers start at 0: c1 p1 (3+3), both at p2 (4+4 each), or one takes p1 on the way (3+5+4)
    assert result["feasible"]
    assert result["travel"] == 20
    assert result["objective"] == pytest.approx(20 / 3)
    assert json.loads((tmp_path / "out.json").read_text())["routes"]


def test_an_interrupted_solve_keeps_and_writes_the_best_so_far(tmp_path: Path) -> None:
    """Broken when Ctrl-C after an hour's search throws the roster away, or leaves a process behind."""
    file = tmp_path / "many.json.gz"
    file.write_bytes(gzip.compress(json.dumps(no_proof()).encode()))
    command = [sys.executable, "-m", "api.cli", "solve", str(file), "--seconds", "600", "--out", "out.json", "--json"]
    solving = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert solving.stderr is not None
    seen = ""
    while "best" not in seen:
        piece = solving.stderr.read(1)
        assert piece, f"the solve ended by itself: {seen}"
        seen += piece
    solving.send_signal(signal.SIGINT)
    answered, said = solving.communicate(timeout=60)
    assert solving.returncode == 0, said
    assert "the best so far is kept" in said
    assert json.loads(answered)["stopped"]
    assert json.loads((tmp_path / "out.json").read_text())["routes"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"{", "json"), (b'{"patients": []}', "caregivers")],
)
def test_solve_refuses_a_bad_file_with_a_sentence_and_no_traceback(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    """Broken when a person with a wrong file is shown Python's innards instead of what is wrong with it."""
    file = tmp_path / "bad.json"
    if content is not None:
        file.write_bytes(content)
    done = popback("solve", str(file), "--seconds", "1", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert words.lower() in done.stderr.lower()
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("device", "enrol", "nobody", "phone-1"), "no provider 'nobody'"),
        (("device", "enrol", "nobody", "phone-1", "--type", "fax"), "--type 'fax'"),
        (("serve", "all", "--broker", "nowhere"), "neither 'embedded' nor host:port"),
    ],
)
def test_a_wrong_argument_is_named_with_its_remedy(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    """Broken when an operator's slip ends in a traceback or in a message that does not name the argument."""
    done = popback(*arguments, "--data", "d", cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert words in done.stderr


def _wrong_data(directory: Path) -> None:
    """A data directory for each kind of wrong an operator meets."""
    (directory / "file").write_text("not a directory")
    for name, toml in (
        ("broken", b'public_url = "unclosed'),
        ("unknown", b"nonsense = 3"),
        ("secret", b"telephony_auth_token = 73465"),
        ("bytes", b"\xff\xfe"),
    ):
        (directory / name).mkdir()
        (directory / name / "popback.toml").write_bytes(toml)
    (directory / "lost" / "secrets").mkdir(parents=True)
    (directory / "lost" / "secrets" / "server-credentials.json").write_text('{"ingest-1": ')
    (directory / "damaged").mkdir()
    (directory / "damaged" / "popback.sqlite3").write_bytes(b"no database" * 100)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("serve", "all", "--data", "broken"), "broken/popback.toml is no TOML"),
        (("serve", "api", "--data", "bytes"), "bytes/popback.toml is no TOML"),
        (("serve", "api", "--data", "unknown"), "nonsense: "),
        (("serve", "api", "--data", "secret"), "telephony_auth_token: "),
        (("serve", "watch", "--data", "file"), "--data file cannot be used"),
        (("serve", "watch", "--data", "damaged"), "file is not a database"),
        (("database", "migrate", "--data", "file"), "--data file cannot be used"),
        (("database", "migrate", "--data", "d", "--database", "rubbish"), "--database is no SQLAlchemy URL"),
        (("database", "migrate", "--data", "d", "--database", "mysql://u:73465@h/x"), "no driver is installed"),
        (("device", "enrol", "p", "d", "--data", "damaged"), "file is not a database"),
        (("broker", "sync", "--data", "d", "--out", "file"), "--out file cannot be written"),
        (("broker", "sync", "--data", "lost", "--out", "o"), "server-credentials.json is damaged: remove it"),
        (("serve", "all", "--data", "lost"), "server-credentials.json is damaged: remove it"),
        (("serve", "api", "--data", "d", "--port", "65536"), "--port"),
    ],
)
def test_what_an_operator_has_wrong_ends_in_a_sentence(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    """Broken when a damaged file, directory or address shows Python's innards, or the secret in it, instead of the remedy."""
    _wrong_data(tmp_path)
    done = popback(*arguments, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert words in done.stderr
    assert "73465" not in done.stderr


def test_what_a_command_answers_stays_one_line_a_key_however_long(tmp_path: Path) -> None:
    """Broken when an answer is wrapped at a terminal's width: a path or a password that a script reads is then cut in two."""
    out = tmp_path / ("a-long-name-" * 10) / "[mosquitto]"
    done = popback("broker", "sync", "--data", "d", "--out", str(out), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert lines["acl"] == str(out / "acl")


def test_a_demo_that_cannot_keep_its_phone_says_so_at_once(tmp_path: Path) -> None:
    """Broken when the whole day is played before a folder without permission ends the demo in a traceback."""
    (tmp_path / "popback-data").write_text("a file where the phone's directory should be")
    done = popback("demo", "--port", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "start it from a folder that you may write to" in done.stderr


def _run_script(*arguments: str, path: Path, python: str | None = None) -> subprocess.CompletedProcess[str]:
    """`./run` in a fresh copy whose only Pythons are those in `path`."""
    named = {} if python is None else {"PYTHON": python}
    return subprocess.run(
        ["/bin/sh", path.parent / "run", *arguments],
        cwd="/",
        env={"PATH": f"{path}:/usr/bin:/bin", **named},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_run_names_the_remedy_when_python_is_too_old(tmp_path: Path) -> None:
    """Broken when a newcomer with an old Python is shown a shell's error, or is left with half a .venv."""
    shutil.copy(ROOT / "run", tmp_path / "run")
    (old := tmp_path / "only old").mkdir()
    for name in ("python", "python3", *(f"python3.{minor}" for minor in range(11, 20))):
        (old / name).write_text("#!/bin/sh\nexit 1\n")
        (old / name).chmod(0o755)
    done = _run_script("demo", path=old)
    assert done.returncode == 1
    assert done.stderr.startswith("popback: this needs Python 3.11 or newer")
    assert len(done.stderr.splitlines()) == 1
    named = _run_script("demo", path=old, python=str(old / "python3"))
    assert named.returncode == 1
    assert f"PYTHON={old / 'python3'} is no Python 3.11" in named.stderr
    assert not (tmp_path / ".venv").exists()


def test_every_committed_schema_is_a_schema() -> None:
    """Broken when a committed JSON Schema is itself malformed: validation against it would then mean nothing."""
    committed = sorted(SCHEMAS.glob("*.json"))
    assert [path.stem for path in committed] == [
        "bench_instances",
        "bench_kept",
        "bench_peers",
        "bench_popback",
        "bench_roster",
        "bench_roster_sizes",
        "broker_check",
        "chaos_alerts",
        "chaos_ingest",
        "chaos_processes",
        "demo",
        "import",
        "roster_explain",
        "roster_make",
        "roster_replan",
        "solve",
    ]
    for path in committed:
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))
