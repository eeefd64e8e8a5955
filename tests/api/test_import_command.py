"""`popback import`: what it prints, refuses and keeps, and that killing or stopping it leaves what was there. Not the kinds of file."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from api.cli import app
from evm.services.imports.kinds import KINDS
from evm.store import imports, people
from evm.store.database import open_engine, session_factory

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "api" / "schema" / "import.json").read_text(encoding="utf-8"))
HEADER = "customer,name,address,postcode,latitude,longitude,locality\n"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "api.cli", "import", *arguments]


def environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "COLUMNS": "120"}


def popback(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )


def customers_file(folder: Path, count: int, *, name: str = "customers.csv") -> Path:
    path = folder / name
    with path.open("w", encoding="utf-8") as out:
        out.write(HEADER)
        for number in range(count):
            out.write(f"c{number},Ann {number},{number} Example Road,LS1 4AP,53.7997,-1.5492,ls1\n")
    return path


def settle(url: str, folder: Path) -> None:
    """A council, a provider and a locality, by the commands a new agency gives."""
    (folder / "councils.csv").write_text("council,name\nleeds,Leeds\n")
    (folder / "providers.csv").write_text("provider,name\nnorthcare,North\n")
    for kind in ("councils", "providers"):
        done = popback(kind, f"{kind}.csv", "--database", url, cwd=folder)
        assert done.returncode == 0, done.stderr
    locality = ["locality", "set", "ls1", "--council", "leeds", "--name", "City", "--outward", "LS1", "--database", url]
    subprocess.run(
        [sys.executable, "-m", "api.cli", *locality], cwd=folder, env=environment(), check=True, capture_output=True
    )


def counts(url: str) -> tuple[int, int]:
    """How many customers and how many files taken in."""
    engine = open_engine(url=url)
    with session_factory(engine)() as session:
        found = len(people.customers(session)), len(imports.records(session, kind="customers"))
    engine.dispose()
    return found


@pytest.mark.database("sqlite")
def test_an_import_is_previewed_taken_in_and_told_apart_from_its_repetition(database_url, tmp_path):
    """The four answers a person or a script acts on: what would change, that it did, that it had, and what is wrong."""
    settle(database_url, tmp_path)
    file = customers_file(tmp_path, 3).name
    arguments = ("customers", file, "--provider", "northcare", "--database", database_url)
    preview = json.loads(popback(*arguments, "--dry-run", "--json", cwd=tmp_path).stdout)
    jsonschema.validate(preview, SCHEMA)
    assert (preview["dry_run"], preview["taken_in"], preview["new"]) == (True, False, 3)
    assert counts(database_url) == (0, 0)
    done = popback(*arguments, cwd=tmp_path)
    assert done.returncode == 0
    assert "3 rows: 3 new, 0 changed, 0 the same, 0 refused" in done.stdout
    assert counts(database_url) == (3, 1)
    again = popback(*arguments, "--json", cwd=tmp_path)
    assert again.returncode == 0
    jsonschema.validate(json.loads(again.stdout), SCHEMA)
    assert json.loads(again.stdout)["already"]["file"] == file
    assert "customers.csv" in popback("list", "--database", database_url, cwd=tmp_path).stdout


@pytest.mark.database("sqlite")
def test_what_is_refused_ends_with_2_and_names_the_line_the_column_and_the_remedy(database_url, tmp_path, monkeypatch):
    """A traceback would send an office worker to a programmer."""
    settle(database_url, tmp_path)
    rows = (HEADER + "c1,[red]Ann[/red],Road,nowhere,53.7997,-1.5492,ls1\n").encode()
    (tmp_path / "wrong.csv").write_bytes(rows)
    wrong = popback("customers", "wrong.csv", "--provider", "northcare", "--database", database_url, cwd=tmp_path)
    assert wrong.returncode == 2
    assert "nothing was taken in" in wrong.stdout
    assert "postcode" in wrong.stdout
    assert wrong.stderr == ""
    as_json = popback(
        "customers", "wrong.csv", "--provider", "northcare", "--database", database_url, "--json", cwd=tmp_path
    )
    assert as_json.returncode == 2
    jsonschema.validate(json.loads(as_json.stdout), SCHEMA)
    (tmp_path / "excel.csv").write_bytes((HEADER + "c1,Zoë,Road £,LS1 4AP,53.7997,-1.5492,ls1\n").encode("cp1252"))
    monkeypatch.chdir(tmp_path)
    for arguments, said in (
        (("customers", "excel.csv"), "Windows-1252"),
        (("customers", "missing.csv"), "cannot be read"),
        (("shoes", "wrong.csv"), "there is no kind of file 'shoes'"),
        (("customers", "wrong.csv", "--provider", "nobody"), "there is no provider 'nobody'"),
        (("customers", "wrong.csv", "--council", "nowhere"), "there is no council 'nowhere'"),
        (("customers", "wrong.csv", "--layout", "none"), "there is no layout 'none'"),
        (("customers", "wrong.csv", "--exported-at", "03/04/2026"), "--exported-at"),
        (("customers", "wrong.csv", "--exported-at", "2099-01-01"), "lies in the future"),
        (("list", "--kind", "shoes"), "there is no kind of file 'shoes'"),
    ):
        done = CliRunner().invoke(app, ["import", *arguments, "--database", database_url])
        assert (done.exit_code, said in done.stderr) == (2, True), done.stderr


def test_every_kinds_template_and_columns_are_told(tmp_path, monkeypatch):
    """Someone with a spreadsheet needs to see what to fill, and an example that is read."""
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    told = json.loads(run(app, ["import", "kinds", "--json"]).stdout)
    assert [kind["name"] for kind in told["kinds"]] == [kind.name for kind in KINDS]
    shown = run(app, ["import", "kinds"]).stdout
    assert all(f"{kind.name}: " in shown for kind in KINDS)
    assert run(app, ["import", "template", "customers", "--out", "c.csv"]).exit_code == 0
    assert (tmp_path / "c.csv").read_text().startswith("customer,provider,locality,name,")
    again = run(app, ["import", "template", "customers", "--out", "c.csv"])
    assert (again.exit_code, "not there yet" in again.stderr) == (2, True)


def started(arguments: list[str], cwd: Path, *, after_lines: int) -> subprocess.Popen[str]:
    """An import that has told of its progress so often."""
    process = subprocess.Popen(
        arguments, cwd=cwd, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for _ in range(after_lines):
        assert "rows" in process.stderr.readline()
    return process


@pytest.mark.slow
def test_an_import_killed_anywhere_leaves_nothing_and_the_next_takes_all(database_url, tmp_path):
    """Half of the customers would be there, and nobody would know which half."""
    settle(database_url, tmp_path)
    file = customers_file(tmp_path, 3_000)
    arguments = command("customers", file.name, "--provider", "northcare", "--database", database_url)
    moments = random.Random(7)
    for lines in (1, 2, 3, 3):
        process = started(arguments, tmp_path, after_lines=lines)
        time.sleep(moments.uniform(0, 0.02))
        process.kill()
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        found = counts(database_url)
        assert found in {(0, 0), (3_000, 1)}
        if found != (0, 0):
            return  # it had just been committed: whole
    done = popback("customers", file.name, "--provider", "northcare", "--database", database_url, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert counts(database_url) == (3_000, 1)


@pytest.mark.slow
def test_an_import_stopped_from_the_keyboard_says_that_nothing_was_taken_in(database_url, tmp_path):
    """A person who changes their mind must know what is there now."""
    settle(database_url, tmp_path)
    file = customers_file(tmp_path, 10_000)
    arguments = command("customers", file.name, "--provider", "northcare", "--database", database_url)
    process = started(arguments, tmp_path, after_lines=1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert (process.returncode, "nothing of the file was taken in" in said) == (130, True), said
    assert counts(database_url) == (0, 0)
