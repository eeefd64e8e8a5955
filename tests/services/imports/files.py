"""A small town to import into and the shortest way to take a file in. Not fixtures."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from evm.domain.ids import CouncilId, LocalityId, ProviderId
from evm.domain.people import Council, Locality, Provider
from evm.domain.policy import Policy
from evm.services.imports.csv_file import open_csv
from evm.services.imports.kind import Context, ImportKind, standard_layout
from evm.services.imports.kinds import KINDS
from evm.services.imports.layout import Layout
from evm.services.imports.run import ImportReport, import_file
from evm.store import people

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
COUNCIL, PROVIDER, OTHER = CouncilId("leeds"), ProviderId("northcare"), ProviderId("othercare")
CUSTOMERS = "customer,name,address,postcode,latitude,longitude\n"
ANN = "c1,Ann,1 Example Road,LS1 4AP,53.7997,-1.5492\n"
BOB = "c2,Bob,2 Example Road,LS1 4AP,53.7998,-1.5493\n"
PACKAGES = "customer,effective_from,commissioned_minutes_week,budget_week,outcomes\n"
PLANS = "customer,effective_from,visit,weekdays,start,minutes\n"


def kind_named(name: str) -> ImportKind:
    return {kind.name: kind for kind in KINDS}[name]


def settle(sessions: sessionmaker[Session]) -> None:
    """One council with a locality, two providers."""
    with sessions.begin() as session:
        people.add_councils(session, councils=[Council(council_id=COUNCIL, name="Leeds")])
        people.add_providers(
            session,
            providers=[Provider(provider_id=PROVIDER, name="North"), Provider(provider_id=OTHER, name="Other")],
        )
        place = Locality(locality_id=LocalityId("ls1"), council_id=COUNCIL, name="City", outward_codes=("LS1",))
        people.add_localities(session, localities=[place])


def take(
    sessions: sessionmaker[Session],
    folder: Path,
    name: str,
    content: str | Sequence[str],
    *,
    provider: str | None = PROVIDER,
    council: str | None = None,
    dry_run: bool = False,
    layout: Layout | None = None,
    exported_at: datetime | None = None,
    now: datetime = NOW,
    **calls: Any,
) -> ImportReport:
    """Take a file in as a command would: commit what may be, roll the rest back."""
    path = folder / f"{name}.csv"
    path.write_text(content if isinstance(content, str) else "".join(content), encoding="utf-8")
    kind = kind_named(name)
    chosen = layout or standard_layout(kind)
    file = open_csv(path=path, layout=chosen)
    context = Context(
        now=now,
        policy=Policy(),
        layout=chosen,
        who="a test",
        provider=None if provider is None else ProviderId(provider),
        council=None if council is None else CouncilId(council),
        exported_at=exported_at,
        file_sha256=file.sha256,
    )
    with sessions() as session:
        report = import_file(session, kind=kind, file=file, context=context, dry_run=dry_run, **calls)
        if report.taken_in:
            session.commit()
    return report


def taken(*args: Any, **changed: Any) -> ImportReport:
    """Take a file in that must be taken in."""
    report = take(*args, **changed)
    assert report.taken_in, report.errors
    return report


def words_of(report: ImportReport) -> list[tuple[int, str, str]]:
    """Line, field and sentence of each error."""
    return [(error.row, error.field, error.words) for error in report.errors]
