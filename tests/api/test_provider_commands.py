"""`popback provider shadow`, `popback provider monitoring`, and a claim's way from the command line to its verdicts."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker
from typer.testing import CliRunner, Result

from api.cli import app
from api.parts import wall_clock
from evm.domain.billing.invoice import Reason, Verdict
from evm.domain.policy import Policy
from evm.services import invoice as invoices
from evm.store import money, plans
from tests import factories
from tests.domain.billing import bills
from tests.services.test_claims import HEADER, row

NOW = wall_clock()
DAY = (NOW - timedelta(days=3)).replace(hour=11, minute=0, second=0, microsecond=0)


@pytest.fixture
def seeded(sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    """A provider with an agreement since long ago, and one visit three days ago at noon or so."""
    with sessions.begin() as session:
        factories.seed(session)
        deal = bills.agreement(
            council=factories.COUNCIL, provider=factories.PROVIDER, effective_from=(NOW - timedelta(days=400)).date()
        )
        money.add_agreements(session, agreements=[deal])
        plans.add_planned_visits(session, visits=[factories.planned_visit("v1", start=DAY)])
    return sessions


def popback(url: str, tmp_path: Path, *arguments: str) -> Result:
    common = ["--database", url, "--data", str(tmp_path / "kept")]
    return CliRunner().invoke(app, [*arguments, *common], catch_exceptions=False)


def shadow(url: str, tmp_path: Path, *arguments: str) -> Result:
    return popback(url, tmp_path, "provider", "shadow", "kindly", "--council", "manchester", *arguments)


def test_shadow_mode_is_set_and_shown_with_its_history(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    """Broken: an operator could not set it, nor see who did."""
    until = (NOW + timedelta(days=30)).date().isoformat()
    done = shadow(database_url, tmp_path, "--until", until, "--why", "Phones came late", "--by", "C. Officer", "--json")
    assert (done.exit_code, json.loads(done.stdout)["shadow_until"]) == (0, until)
    shown = shadow(database_url, tmp_path)
    assert shown.exit_code == 0
    assert f"shadow_until {until}, who C. Officer, why Phones came late" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--until", "24/12/2026", "--why", "x"), "--until must be a day written YYYY-MM-DD"),
        (("--until", (NOW + timedelta(days=30)).date().isoformat()), "--why is needed"),
        (("--until", (NOW + timedelta(days=900)).date().isoformat(), "--why", "x"), "--until is more than 366 days"),
    ],
)
def test_a_setting_that_makes_no_sense_ends_in_a_sentence(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    """Broken: a traceback, or a typing error that switches withholding off."""
    done = shadow(database_url, tmp_path, *arguments)
    assert done.exit_code == 2
    assert words in done.stderr


def test_an_unknown_provider_ends_in_a_sentence(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    """Broken: the setting would stand for nobody."""
    arguments = ("provider", "shadow", "nobody", "--council", "manchester", "--until", "2026-12-24", "--why", "x")
    done = popback(database_url, tmp_path, *arguments)
    assert (done.exit_code, "not a provider known here" in done.stderr) == (2, True)


def test_how_a_provider_is_monitored_is_set_and_shown(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    """Broken: a provider whose feed comes at night would be paged for all day, and nobody could say so."""
    shown = popback(database_url, tmp_path, "provider", "monitoring", "kindly", "--json")
    assert json.loads(shown.stdout)["monitoring"] == "live"
    refused = popback(database_url, tmp_path, "provider", "monitoring", "kindly", "feed")
    assert (refused.exit_code, "--why" in refused.stderr) == (2, True)
    popback(database_url, tmp_path, "provider", "monitoring", "kindly", "feed", "--why", "Exports at night")
    shown = popback(database_url, tmp_path, "provider", "monitoring", "kindly", "--json")
    assert json.loads(shown.stdout)["monitoring"] == "feed"


def claim_file(folder: Path, **changes: str) -> Path:
    plain = {
        "provider": "kindly",
        "customer": "c1",
        "day": f"{DAY:%d/%m/%Y}",
        "week": f"{DAY:%d/%m/%Y}",
        "start": "11:00",
    }
    path = folder / "claim.csv"
    path.write_text("\n".join([HEADER, row(**(plain | changes))]) + "\n", encoding="utf-8")
    return path


def test_a_bad_claim_is_refused_on_the_command_line_with_its_rows(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    """bad-input 68, 71, 85: broken, a dry run would not say what the provider has to mend."""
    path = claim_file(tmp_path, start="9.30", pay="£12", customer="SU9")
    common = ("import", "claim", str(path), "--layout", "abacus", "--council", "manchester", "--dry-run")
    done = popback(database_url, tmp_path, *common)
    assert done.exit_code == 2
    said = done.stdout + done.stderr
    for words in ("write 09:30", "'£12' is not an amount", "'SU9' is no customer of this council"):
        assert words in " ".join(said.split())
    with seeded() as session:
        assert money.invoice_list(session) == ()


def test_a_claim_from_the_command_line_is_judged_by_the_standing_work(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    """Broken: the claim would lie there, taken in and never judged."""
    path = claim_file(tmp_path)
    done = popback(
        database_url, tmp_path, "import", "claim", str(path), "--layout", "abacus", "--council", "manchester"
    )
    assert done.exit_code == 0, done.stdout + done.stderr
    with seeded.begin() as session:
        (invoice_id,) = invoices.judge_received(session, now=NOW, policy=Policy())
        (line,) = invoices.lines_of(session, invoice_id=invoice_id)
    assert (line.verdict.verdict, line.verdict.reason) == (Verdict.WITHHOLD, Reason.NO_EVIDENCE)
