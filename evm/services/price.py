"""The use case "price what was done": the charges of visits under the agreement in force, kept a visit version. Not what is paid."""

from collections.abc import Iterator, Mapping
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from evm.domain.billing.agreement import Agreement, agreement_on
from evm.domain.billing.charge import Charge
from evm.domain.billing.judge import Known, charges_of
from evm.domain.billing.price import charge_pence
from evm.domain.ids import ProviderId, VisitId
from evm.domain.policy import Policy
from evm.domain.visit import Visit
from evm.store import money, people, plans
from evm.store import visits as visit_store
from evm.store.locks import hold
from evm.store.money_rows import ChargeRow


def price_days(session: Session, *, provider_id: ProviderId, since_day: date, until_day: date, policy: Policy) -> int:
    """Price the newest version of every planned visit of `[since_day, until_day)` that has no charges yet; how many were priced.

    A visit of a council or a day without an agreement stays without charges."""
    happened = visit_store.newest(session, provider_id=provider_id, since_day=since_day, until_day=until_day)
    visits = {visit.visit_id: visit for visit in happened if visit.visit_id is not None}
    found = plans.planned_visits(session, provider_id=provider_id, since_day=since_day, until_day=until_day)
    council_of = {place.locality_id: place.council_id for place in people.localities(session)}
    deals = money.agreements(session, provider_id=provider_id)
    priced = 0
    for council in sorted({deal.council for deal in deals}):
        known = Known(
            planned={each.visit_id: each for each in found if council_of[each.locality_id] == council},
            visits=visits,
            agreements=tuple(deal for deal in deals if deal.council == council),
            zone=policy.zone,
        )
        priced += keep_charges(session, known=known, charges=_priced(known))
    return priced


def keep_charges(session: Session, *, known: Known, charges: Mapping[VisitId, tuple[Charge, ...]]) -> int:
    """Append these charges for those visits whose newest version has none; how many visits were priced."""
    hold(session, names=["charges"])
    wanted = [visit_id for visit_id in sorted(charges) if charges[visit_id] and visit_id in known.visits]
    done = money.priced_versions(session, visit_keys=wanted)
    rows: list[ChargeRow] = []
    priced = 0
    for visit_id in wanted:
        if (visit_id, known.visits[visit_id].version) not in done:
            rows += _rows(known.visits[visit_id], charges[visit_id], deal=_deal(known, visit_id))
            priced += 1
    money.append_charges(session, charges=rows)
    return priced


def charges_of_visit(session: Session, *, visit_id: VisitId, version: int) -> tuple[ChargeRow, ...]:
    """The charges kept for one version of a planned visit, by slot and line; each says in words what it is for."""
    return money.charges(session, visit_key=visit_id, visit_version=version)


def _deal(known: Known, visit_id: VisitId) -> Agreement | None:
    day = known.planned[visit_id].start.astimezone(ZoneInfo(known.zone)).date()
    return agreement_on(known.agreements, day=day)


def _priced(known: Known) -> dict[VisitId, tuple[Charge, ...]]:
    found = {}
    for visit_id, planned in known.planned.items():
        deal = _deal(known, visit_id)
        if deal is not None and visit_id in known.visits:
            found[visit_id] = charges_of(planned=planned, visit=known.visits[visit_id], agreement=deal)
    return found


def _rows(visit: Visit, charges: tuple[Charge, ...], *, deal: Agreement | None) -> Iterator[ChargeRow]:
    assert deal is not None, "charges follow from an agreement"
    next_line: dict[int, int] = {}
    for charge, pence in zip(charges, charge_pence(charges), strict=True):
        line = next_line.get(charge.slot, 0)
        next_line[charge.slot] = line + 1
        yield ChargeRow(
            visit_key=visit_store.visit_key(visit),
            visit_version=visit.version,
            slot=charge.slot,
            line=line,
            agreement_id=deal.agreement_id,
            agreement_version=deal.version,
            minutes=charge.minutes,
            pence=pence,
            rule=charge.rule,
            words=charge.words,
        )
