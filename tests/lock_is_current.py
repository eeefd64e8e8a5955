"""Says whether the lock files are what pyproject.toml asks for, or writes them anew. Not an installer.

`python -m tests.lock_is_current` exits 1 and names the file when one is missing, has a download address, or does not satisfy a
dependency of pyproject.toml; with `--write` it compiles both with uv (versions and hashes, no download addresses)."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
LOCKS = {
    "requirements.lock": ("build", "postgres"),
    "requirements-test.lock": ("build", "postgres", "cluster", "roads", "bench", "test"),
}


def compile_lock(*, name: str, extras: tuple[str, ...]) -> None:
    chosen = [word for extra in extras for word in ("--extra", extra)]
    subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"),
            *(
                "--python-version",
                "3.11",
                "--no-header",
                "--no-annotate",
                "--no-emit-index-url",
                "--no-emit-find-links",
            ),
            *chosen,
            *("pyproject.toml", "-o", name),
        ],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def faults(*, name: str, extras: tuple[str, ...]) -> list[str]:
    """What is wrong with one lock, each a sentence; empty when nothing is."""
    path = ROOT / name
    if not path.exists():
        return [f"{name} is missing: run ./run lock"]
    text = path.read_text()
    found = [f"{name} has a download address: run ./run lock"] if re.search(r"https?://|file:", text) else []
    pins: dict[str, list[str]] = {}
    for project, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE):
        pins.setdefault(project.lower(), []).append(version)
    project_table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project_table["dependencies"], *(r for e in extras for r in project_table["optional-dependencies"][e])]
    for line in wanted:
        requirement = Requirement(line)
        versions = pins.get(requirement.name.lower(), [])
        if not any(requirement.specifier.contains(version) for version in versions):
            found.append(
                f"{name} does not satisfy {line} of pyproject.toml (has {versions or 'nothing'}): run ./run lock"
            )
    return found


def main() -> int:
    if "--write" in sys.argv[1:]:
        for name, extras in LOCKS.items():
            compile_lock(name=name, extras=extras)
    wrong = [sentence for name, extras in LOCKS.items() for sentence in faults(name=name, extras=extras)]
    for sentence in wrong:
        sys.stderr.write(sentence + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
