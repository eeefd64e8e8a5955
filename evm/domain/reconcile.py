"""(plan, evidence) -> visits and findings: what happened, exactly as rules.md defines it. Not what it costs (billing) and not what
must be acted on (alerts).

The same set of evidence gives the same visits, whatever its order and however often each piece came. Nothing here reads a clock:
`now`, when given, only decides whether a slot nobody came to is missed yet; evidence that comes later makes it delivered again."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from evm.domain import visit_findings
from evm.domain.alerts.deadline import check_out_due, missed_due, next_starts
from evm.domain.amendments import Amended, amended_alone, approved_amendments, with_amendment
from evm.domain.attendances import PRESENCE, Stay, distinct, is_ahead, stays_of
from evm.domain.couples import split_couples
from evm.domain.evidence import EventKind, Evidence, vendor_of
from evm.domain.finding import Finding, FindingCode
from evm.domain.ids import CustomerId, VisitId, WorkerId
from evm.domain.matching import Candidate, Opening, Slots, match
from evm.domain.occurrences import is_away
from evm.domain.outcomes import outcome_of, overlap_seconds_of
from evm.domain.overlaps import SamePerson, with_overlaps
from evm.domain.people import TravelMode
from evm.domain.period import Period, care_day, ends_at
from evm.domain.place import Home
from evm.domain.plan import Absence, PlannedVisit
from evm.domain.policy import Policy
from evm.domain.splitting import split_adjoining
from evm.domain.visit import Attendance, SlotRecord, Visit, VisitOutcome

_ABOUT_A_VISIT = frozenset({EventKind.NO_REPLY, EventKind.CUSTOMER_REFUSED})


@dataclass(slots=True, kw_only=True)
class _File:
    """Everything about one customer."""

    customer: CustomerId
    plan: list[PlannedVisit] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    notes: list[Evidence] = field(default_factory=list)
    amendments: list[Evidence] = field(default_factory=list)
    absences: list[Absence] = field(default_factory=list)
    elsewhere: dict[WorkerId, list[Period]] = field(default_factory=dict)


def reconcile(
    *,
    plan: Sequence[PlannedVisit],
    evidence: Iterable[Evidence],
    policy: Policy,
    homes: Mapping[CustomerId, Home],
    modes: Mapping[WorkerId, TravelMode] = MappingProxyType({}),
    lines: Mapping[CustomerId, Collection[str]] = MappingProxyType({}),
    absences: Sequence[Absence] = (),
    same_person: SamePerson = MappingProxyType({}),
    customers: frozenset[CustomerId] | None = None,
    now: datetime | None = None,
) -> tuple[Visit, ...]:
    """The visits of `customers` (default: all in `plan`), planned ones and unplanned attendances, sorted by time.

    `evidence` holds every event of every worker who appears at these customers, so that overlaps and caps are seen, and with a day
    to spare at both ends, as `plan` does: a stay may cross midnight, and the next planned visit closes the window of the one before.
    Keep the care days you asked for. For couples on one landline give both customers' plans and `lines`. `same_person`: workers of several
    providers who are one human being, whose evidence is there too. Slots nobody came to are missed once `now` is past their deadline;
    without `now` they stay pending."""
    current = _current(plan)
    wanted = customers if customers is not None else frozenset(visit.customer_id for visit in current)
    events = distinct(evidence)
    stays = stays_of(evidence=events, homes=homes, modes=modes, policy=policy)
    stays = split_couples(stays=stays, plan=current, lines=lines, policy=policy)
    stays = with_overlaps(stays=stays, same=same_person, policy=policy)
    visits: list[Visit] = []
    for file in _files(wanted, current, stays, events, absences):
        visits += _visits_of(file, policy, now)
    return tuple(sorted(visits, key=_by_time))


def visit_key(visit: Visit) -> str:
    """The name under which versions of a visit are kept: the planned visit's id, or "unplanned:" and the attendance's."""
    if visit.visit_id is not None:
        return visit.visit_id
    attendance = visit.slots[0].attendance
    assert attendance is not None
    return f"unplanned:{attendance.attendance_id}"


def _by_time(visit: Visit) -> tuple[datetime, str, str]:
    attended = [record.attendance for record in visit.slots if record.attendance is not None]
    instants = [one.start or one.end for one in attended]
    begun = visit.planned_start or next(instant for instant in instants if instant is not None)
    return begun, visit.customer, visit_key(visit)


def _current(plan: Sequence[PlannedVisit]) -> list[PlannedVisit]:
    """Each planned visit once: its highest revision."""
    newest: dict[VisitId, PlannedVisit] = {}
    for visit in plan:
        known = newest.get(visit.visit_id)
        if known is None or visit.revision > known.revision:
            newest[visit.visit_id] = visit
    return sorted(newest.values(), key=lambda visit: (visit.start, visit.visit_id))


def _files(
    wanted: frozenset[CustomerId],
    plan: Sequence[PlannedVisit],
    stays: Sequence[Stay],
    events: Sequence[Evidence],
    absences: Sequence[Absence],
) -> list[_File]:
    files = {customer: _File(customer=customer) for customer in sorted(wanted)}
    for visit in plan:
        if visit.customer_id in files:
            files[visit.customer_id].plan.append(visit)
    for stay in stays:
        if stay.customer in files:
            files[stay.customer].stays.append(stay)
    _file_events(files, plan, events)
    for spell in absences:
        if spell.customer_id in files:
            files[spell.customer_id].absences.append(spell)
    for file in files.values():
        if file.amendments:
            file.elsewhere = _elsewhere(file, stays)
    return list(files.values())


def _file_events(files: Mapping[CustomerId, _File], plan: Sequence[PlannedVisit], events: Sequence[Evidence]) -> None:
    """Put what is neither check-in nor check-out where it belongs: amendments by the visit they name, notes by customer."""
    at_visit = {visit.visit_id: visit.customer_id for visit in plan}
    for event in events:
        if event.kind in PRESENCE:
            continue
        if event.amendment is not None:
            customer = at_visit.get(event.amendment.visit)
            if customer is not None and customer in files:
                files[customer].amendments.append(event)
        elif event.kind in _ABOUT_A_VISIT and event.customer is not None and event.customer in files:
            files[event.customer].notes.append(event)


def _elsewhere(file: _File, stays: Sequence[Stay]) -> dict[WorkerId, list[Period]]:
    """When the workers whose attendances are amended were with somebody else, by their own events."""
    amended = {event.amendment.worker for event in file.amendments if event.amendment is not None}
    found: dict[WorkerId, list[Period]] = defaultdict(list)
    for stay in stays:
        if (
            stay.worker in amended
            and stay.customer != file.customer
            and stay.start is not None
            and stay.end is not None
        ):
            end = stay.end if stay.end_max is None else min(stay.end, stay.end_max)
            found[stay.worker].append(Period(start=stay.start, end=max(stay.start, end)))
    return found


def _visits_of(file: _File, policy: Policy, now: datetime | None) -> list[Visit]:
    live = [visit for visit in file.plan if visit.cancelled is None and not is_away(visit, absences=file.absences)]
    following = next_starts(live)
    openings = [_opening(visit, following.get(visit.visit_id), policy) for visit in live]
    plausible = [stay for stay in file.stays if not stay.is_ahead]
    stays = split_adjoining(stays=plausible, plan=live, openings=openings, policy=policy)
    filled = _matched(live, openings, stays)
    by_id = {stay.attendance_id: stay for stay in stays}
    attended = {slot: by_id[candidate.attendance_id] for slot, candidate in filled.items()}
    notes = _notes_by_visit(file.notes, live, openings)
    amendments = approved_amendments(file.amendments)
    used = {stay.attendance_id for stay in attended.values()}
    standing = {visit.visit_id for visit in live}
    visits = [_cancelled(visit, file, policy) for visit in file.plan if visit.visit_id not in standing]
    for visit in live:
        slots = _slots(visit, attended, amendments, file, policy, now)
        due_at = missed_due(visit, next_start=following.get(visit.visit_id))
        visits.append(_visit(visit, slots, notes.get(visit.visit_id, []), amendments, due_at, policy, now))
    stays += [stay for stay in file.stays if stay.is_ahead]
    visits += [_unplanned(stay, file, policy, now) for stay in stays if stay.attendance_id not in used]
    return visits


def _opening(visit: PlannedVisit, next_start: datetime | None, policy: Policy) -> Opening:
    since = visit.start - timedelta(minutes=policy.match_before_minutes)
    until = visit.start + timedelta(minutes=policy.match_after_minutes)
    return Opening(
        visit_id=visit.visit_id,
        start=_epoch(visit.start),
        since=_epoch(since),
        until=_epoch(until if next_start is None else min(until, next_start)),
        rostered=(*visit.rostered, *(None,) * visit.workers_needed)[: visit.workers_needed],
    )


def _epoch(instant: datetime) -> int:
    return int(instant.timestamp())


def _matched(live: list[PlannedVisit], openings: list[Opening], stays: Sequence[Stay]) -> Slots:
    """Stays with a check-in first; then check-outs only, as if they had begun a planned length earlier, in what is left."""
    begun = [
        Candidate(attendance_id=stay.attendance_id, worker=stay.worker, at=_epoch(stay.start), claimed=stay.claimed)
        for stay in stays
        if stay.start is not None
    ]
    filled = match(openings=openings, candidates=begun, taken={})
    minutes = {visit.visit_id: visit.minutes for visit in live}
    orphans = [stay for stay in stays if stay.start is None]
    for stay in sorted(orphans, key=lambda stay: (stay.end, stay.attendance_id)):
        filled.update(_orphan_matched(stay, openings, minutes, filled))
    return filled


def _orphan_matched(stay: Stay, openings: list[Opening], minutes: Mapping[VisitId, int], filled: Slots) -> Slots:
    """The visit a lone check-out most nearly ends, if it fits one with a slot free."""
    assert stay.end is not None
    end = _epoch(stay.end)
    options = []
    for opening in openings:
        at = end - minutes[opening.visit_id] * 60
        if stay.claimed == opening.visit_id or opening.since <= at < opening.until:
            one = Candidate(attendance_id=stay.attendance_id, worker=stay.worker, at=at, claimed=stay.claimed)
            order = (stay.claimed != opening.visit_id, abs(at - opening.start), opening.start, opening.visit_id)
            options.append((order, opening, one))
    for _, opening, one in sorted(options, key=lambda option: option[0]):
        taken = {place: other for place, other in filled.items() if place[0] == opening.visit_id}
        found = match(openings=[opening], candidates=[one], taken=taken)
        if found:
            return found
    return {}


def _notes_by_visit(
    notes: list[Evidence], live: list[PlannedVisit], openings: list[Opening]
) -> dict[VisitId, list[Evidence]]:
    """No-reply and refusal events under the visit they name, or else the one whose window they fall in, nearest start first."""
    found: dict[VisitId, list[Evidence]] = defaultdict(list)
    known = {visit.visit_id for visit in live}
    for note in sorted(notes, key=lambda note: (note.at, note.event_id)):
        if note.visit in known:
            found[note.visit].append(note)
            continue
        at = _epoch(note.at)
        near = [one for one in openings if one.since <= at < one.until]
        if near:
            nearest = min(near, key=lambda one: (abs(at - one.start), one.start, one.visit_id))
            found[nearest.visit_id].append(note)
    return found


def _slots(
    visit: PlannedVisit,
    attended: Mapping[tuple[VisitId, int], Stay],
    amendments: Mapping[VisitId, Mapping[WorkerId, Amended]],
    file: _File,
    policy: Policy,
    now: datetime | None,
) -> tuple[SlotRecord, ...]:
    changes = dict(amendments.get(visit.visit_id, {}))
    under_way = visit_findings.is_still_under_way(visit, check_out_due(visit), now)
    records = []
    for slot in range(visit.workers_needed):
        rostered = visit.rostered[slot] if slot < len(visit.rostered) else None
        stay = attended.get((visit.visit_id, slot))
        attendance = None
        if stay is not None:
            attendance = _attendance(stay, visit.visit_id, under_way=under_way)
            amended = changes.pop(stay.worker, None)
            there = file.elsewhere.get(stay.worker, ())
            attendance = with_amendment(attendance, amended, visit=visit, elsewhere=there)
        records.append(SlotRecord(slot=slot, rostered=rostered, attendance=attendance))
    records = amended_alone(records, changes, visit=visit, elsewhere=file.elsewhere)
    return tuple(_judged(record, visit, file, policy) for record in records)


def _attendance(stay: Stay, visit_id: VisitId | None, *, under_way: bool = False) -> Attendance:
    events = stay.events
    findings = [*stay.findings, *visit_findings.of_evidence(events)]
    if under_way:
        findings = [found for found in findings if found.code is not FindingCode.FORGOTTEN_CHECK_OUT]
    return Attendance(
        attendance_id=stay.attendance_id,
        worker=stay.worker,
        customer=stay.customer,
        start=stay.start,
        end=stay.end,
        check_in=stay.check_in.event_id if stay.check_in else None,
        check_out=stay.check_out.event_id if stay.check_out else None,
        visit=visit_id,
        grade_time=max([event.grade_time for event in events]),
        grade_place=max([event.grade_place for event in events]),
        end_max=stay.end_max,
        payable_seconds=stay.payable_seconds,
        waits=visit_id is None or any(event.waits for event in events),
        findings=tuple(findings),
        feed=next((vendor for event in events if (vendor := vendor_of(event)) is not None), None),
    )


def _judged(record: SlotRecord, visit: PlannedVisit, file: _File, policy: Policy) -> SlotRecord:
    """The slot with its attendance's findings against the plan."""
    attendance = record.attendance
    if attendance is None:
        return record
    found = [
        *attendance.findings,
        *visit_findings.against_plan(attendance, visit, record.rostered, policy),
        *visit_findings.of_absence(file.absences, start=attendance.start, end=attendance.end),
    ]
    if not found:
        return record
    findings = visit_findings.ordered(replace(one, slot=record.slot) for one in found)
    return replace(record, attendance=replace(attendance, findings=findings))


def _visit(
    visit: PlannedVisit,
    slots: tuple[SlotRecord, ...],
    notes: Sequence[Evidence],
    amendments: Mapping[VisitId, Mapping[WorkerId, Amended]],
    missed_due_at: datetime,
    policy: Policy,
    now: datetime | None,
) -> Visit:
    overlap_seconds = overlap_seconds_of(slots)
    heard = [note for note in notes if not is_ahead(note, policy=policy)]
    missing = visit_findings.of_missing_slots(slots, visit, missed_due_at, now, policy)
    pending = [amended.waiting() for amended in amendments.get(visit.visit_id, {}).values() if not amended.approved]
    said = visit_findings.of_evidence(notes)
    found: list[Finding] = [
        *missing,
        *pending,
        *said,
        *visit_findings.of_double_up(slots, overlap_seconds, visit, policy),
    ]
    for record in slots:
        found += record.attendance.findings if record.attendance is not None else ()
    return Visit(
        visit_id=visit.visit_id,
        customer=visit.customer_id,
        provider=visit.provider_id,
        care_day=care_day(visit.start, zone=policy.zone).isoformat(),
        planned_start=visit.start,
        planned_minutes=visit.minutes,
        outcome=outcome_of(visit, slots, heard, policy, is_missed=bool(missing)),
        slots=slots,
        overlap_seconds=overlap_seconds,
        findings=visit_findings.ordered(found),
    )


def _cancelled(visit: PlannedVisit, file: _File, policy: Policy) -> Visit:
    """A visit that was called off, or suspended because the customer is away."""
    rostered = (*visit.rostered, *(None,) * visit.workers_needed)
    found = [] if visit.cancelled else visit_findings.of_absence(file.absences, start=visit.start, end=None)
    return Visit(
        visit_id=visit.visit_id,
        customer=visit.customer_id,
        provider=visit.provider_id,
        care_day=care_day(visit.start, zone=policy.zone).isoformat(),
        planned_start=visit.start,
        planned_minutes=visit.minutes,
        outcome=VisitOutcome.CANCELLED,
        slots=tuple(
            SlotRecord(slot=slot, rostered=rostered[slot], attendance=None) for slot in range(visit.workers_needed)
        ),
        findings=visit_findings.ordered(found),
    )


def _unplanned(stay: Stay, file: _File, policy: Policy, now: datetime | None) -> Visit:
    """An attendance that fits no planned visit: kept, and billed only after a person approved it."""
    instant = stay.start or stay.end
    assert instant is not None
    under_way = now is not None and now < ends_at(start=instant, minutes=60)
    attendance = _attendance(stay, None, under_way=under_way)
    words = "No planned visit fits this attendance: it waits for a person."
    found = visit_findings.ordered(
        [
            *attendance.findings,
            Finding(code=FindingCode.UNPLANNED, words=words, slot=0),
            *visit_findings.of_absence(file.absences, start=stay.start, end=stay.end),
        ]
    )
    return Visit(
        visit_id=None,
        customer=stay.customer,
        provider=stay.events[0].provider,
        care_day=care_day(instant, zone=policy.zone).isoformat(),
        planned_start=None,
        planned_minutes=None,
        outcome=VisitOutcome.DELIVERED,
        slots=(SlotRecord(slot=0, rostered=None, attendance=replace(attendance, findings=found)),),
        findings=found,
    )
