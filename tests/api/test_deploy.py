"""What is shipped to run popback with (api/deploy) agrees with what popback is: every command parses, every path exists, every unit is sound.
Not the guide, which is followed (tests/scenarios/test_operations_guide.py)."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from typer.main import get_command

from api.cli import app

ROOT = Path(__file__).parent.parent.parent
SYSTEMD = ROOT / "api" / "deploy" / "systemd"
CONTAINERS = ROOT / "api" / "deploy" / "containers"
UNITS = sorted(path.name for path in SYSTEMD.iterdir() if path.suffix in {".service", ".target", ".timer"})
SERVICES = [name for name in UNITS if name.endswith(".service")]
PROGRAM = "/opt/popback/.venv/bin/popback"
EXPOSURE_MAX = 3.0


def parsed(arguments: list[str]) -> dict[str, Any]:
    """The options that the real command line makes of these arguments. Raises typer's own error for a wrong one."""
    command: Any = get_command(app)
    context = command.make_context("popback", list(arguments))
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)
    found: dict[str, Any] = context.params
    return found


def commands_of(unit: str) -> list[list[str]]:
    lines = re.findall(r"^ExecStart=(.+)$", (SYSTEMD / unit).read_text(), re.MULTILINE)
    environment = dict(re.findall(r"^(\w+)=(\S+)$", (SYSTEMD / "environment.example").read_text(), re.MULTILINE))
    environment["CREDENTIALS_DIRECTORY"] = "/run/credentials"
    filled = [re.sub(r"\$\{(\w+)\}", lambda found: environment[found[1]], line).replace("%i", "1") for line in lines]
    return [shlex.split(line) for line in filled]


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CONTAINERS / "compose.yaml").read_text())
    return found


def ours() -> dict[str, list[str]]:
    services = compose()["services"]
    return {name: one["command"] for name, one in services.items() if one["image"] == "popback"}


@pytest.mark.parametrize("unit", SERVICES)
def test_every_units_command_is_one_of_ours(unit: str) -> None:
    """Broken if an option was renamed and the unit that names it fails on the day of an upgrade."""
    for words in commands_of(unit):
        assert words[0] == PROGRAM
        assert parsed(words[1:])


def test_tonights_backup_takes_another_nights_place_only_after_its_check() -> None:
    """Broken if a backup that is no good replaces the last good one before anybody has looked at it."""
    made, checked = commands_of("popback-backup.service")
    afterwards = re.findall(r"^ExecStartPost=(.+)$", (SYSTEMD / "popback-backup.service").read_text(), re.MULTILINE)
    fresh = made[made.index("--out") + 1]
    assert checked[-1] == fresh
    assert [fresh in line and "$$(date +%%u)" in line for line in afterwards] == [True]


def test_there_is_a_unit_and_a_container_for_every_part() -> None:
    """Broken if a part that `popback serve` has is started by nobody in production."""
    parts = {"api", "ingest", "watch", "notify", "work"}
    by_units = {words[2] for unit in SERVICES for words in commands_of(unit) if words[1] == "serve"}
    by_containers = {words[1] for words in ours().values() if words[0] == "serve"}
    assert by_units == by_containers == parts


def test_a_command_that_is_none_is_seen() -> None:
    """The parsing must be able to fail, or it checks nothing."""
    for wrong in (["serve", "nothing"], ["serve", "api", "--no-such-option"], ["broker", "sink"]):
        with pytest.raises(Exception, match=r"(?i)no such|is not one of|invalid"):
            parsed(wrong)


def need_systemd() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        if os.environ.get("POPBACK_REQUIRE_ALL") == "1":
            pytest.fail("systemd-analyze is not installed, and POPBACK_REQUIRE_ALL=1")
        pytest.skip("systemd-analyze is not installed")
    return found


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as on a machine where the program is where they say."""
    for unit in UNITS:
        words = (SYSTEMD / unit).read_text().replace(PROGRAM, str(Path(sys.executable)))
        (tmp_path / unit).write_text(words)
    return tmp_path


def test_systemd_understands_every_line_of_the_units(installed: Path) -> None:
    """Broken if a misspelt hardening line is skipped in silence, and the part runs without it."""
    done = subprocess.run(
        [need_systemd(), "verify", "--man=no", *(str(installed / unit) for unit in UNITS)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    complaints = [line for line in done.stderr.splitlines() if str(installed) in line or "popback" in line]
    assert (done.returncode, complaints) == (0, [])


@pytest.mark.parametrize("unit", SERVICES)
def test_systemd_finds_the_units_well_shut_in(installed: Path, unit: str) -> None:
    """Broken if a part that reads what strangers send may do on the machine what it likes."""
    done = subprocess.run(
        [need_systemd(), "security", "--offline=true", str(installed / unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert level is not None, done.stderr
    assert float(level[1]) < EXPOSURE_MAX


def test_no_unit_carries_a_secret_and_each_takes_the_databases_url_as_a_credential() -> None:
    """Broken if a password stands in a unit, a process list or a world-readable file."""
    for unit in SERVICES:
        text = (SYSTEMD / unit).read_text()
        assert re.search(r"^LoadCredential=database:/etc/popback/database", text, re.MULTILINE)
        assert "POPBACK_DATABASE=file:%d/database" in text
        assert "://" not in re.sub(r"file:/opt/popback/docs", "", text)


@pytest.mark.parametrize("name", sorted(ours()))
def test_every_containers_command_is_one_of_ours(name: str) -> None:
    """Broken if an option was renamed and a container restarts for ever."""
    assert parsed(ours()[name])


def test_what_the_compose_file_refers_to_is_there() -> None:
    """Broken if a volume, a secret or a service is named that nobody defines."""
    found = compose()
    for one in found["services"].values():
        assert set(one.get("secrets", ())) <= set(found["secrets"])
        assert set(one.get("depends_on", ())) <= set(found["services"])
        named = [v["source"] if isinstance(v, dict) else v.split(":")[0] for v in one.get("volumes", ())]
        assert {volume for volume in named if not volume.startswith(".")} <= set(found["volumes"])
    build = next(one["build"] for one in found["services"].values() if "build" in one)
    context = (CONTAINERS / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()


def test_the_image_holds_everything_the_program_needs(tmp_path: Path) -> None:
    """Broken if the program in the image lacks a folder, a page or a migration that is there in the repository."""
    copied = re.findall(r"^COPY (?!--from)(.+) (\S+)$", (CONTAINERS / "Containerfile").read_text(), re.MULTILINE)
    context = tmp_path / "context"
    context.mkdir()
    for sources, _ in copied:
        for source in sources.split():
            assert (ROOT / source).exists(), source
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, context / source, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(ROOT / source, context / source)
    install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--target",
        "there",
        "./context",
    ]
    subprocess.run([sys.executable, *install], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "database", "migrate", "--data", "data"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "there"), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there" / "api" / "templates").is_dir()
    assert (tmp_path / "data" / "popback.sqlite3").is_file()
