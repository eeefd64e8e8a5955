"""Other vendors' visit feeds as evidence: with their source and grade, never doubled, never silently better, and never a false missed visit."""

from datetime import UTC, date, datetime, timedelta

import pytest

from evm.domain.billing.invoice import Reason, Verdict
from evm.domain.evidence import EventKind, Grade, Source, vendor_of
from evm.domain.policy import Policy
from evm.services import feeds as feed_service
from evm.services import invoice as invoices
from evm.services import reconcile
from evm.services.feeds import MonitoringRefused
from evm.services.imports.csv_file import FileRefused
from evm.services.imports.kinds.feed import FEED
from evm.services.imports.kinds.refs import REFS
from evm.services.imports.layout import Layout
from evm.store import evidence as log
from evm.store import feeds, ingest_state, money, plans, visits
from evm.store.feeds import Monitoring
from tests import factories
from tests.services.invoicing import NOW, agreement, claim, line
from tests.services.taking_in import take_in

CARECLOCK = "VisitLogId,StaffNo,ClientNo,Date,TimeIn,InBy,DateOut,TimeOut,OutBy,Edited,Area\n"
HOMELOG = "uuid;type;timestamp;method;carer;service_user;external_visit\n"
REFERENCES = "system,kind,ref,our_id\ncareclock,worker,S1,w1\ncareclock,customer,C1,c1\nhomelog,worker,S1,w1\nhomelog,customer,C1,c1\n"


def row(*, ref="8841", day="02/11/2026", start="09:02", by="TAG", out_day="", end="09:31", out_by="TAG", edited="N"):
    return f"{ref},S1,C1,{day},{start},{by},{out_day},{end},{out_by},{edited},South\n"


def taken(session, tmp_path, *rows, **changes):
    values = {"layout": "careclock", "provider": "kindly", "words": CARECLOCK + "".join(rows)} | changes
    return take_in(session, kind=FEED, folder=tmp_path, **({"now": NOW} | values))


@pytest.fixture
def stated(session, tmp_path):
    """One planned visit a day from 2 November, an agreement, and the vendors' references."""
    factories.seed(session)
    money.add_agreements(session, agreements=[agreement()])
    days = [factories.NINE + timedelta(days=n) for n in range(3)]
    plans.add_planned_visits(
        session, visits=[factories.planned_visit(f"v{n + 1}", start=start) for n, start in enumerate(days)]
    )
    take_in(session, kind=REFS, words=REFERENCES, folder=tmp_path, now=NOW, provider="kindly")
    return session


def events(session):
    return [each.evidence for each in log.events(session)]


def visit_of(session, name="v1"):
    while reconcile.run_pending(session, now=NOW, policy=Policy()):
        pass
    return visits.newest_of(session, visit_ids=[name])[name]


def judged(session, *lines):
    invoice_id = invoices.submit(session, invoice=claim(*lines), now=NOW)
    invoices.judge(session, invoice_id=invoice_id, now=NOW, policy=Policy())
    return [each.verdict for each in invoices.lines_of(session, invoice_id=invoice_id)]


def test_a_row_a_visit_becomes_a_check_in_and_a_check_out_of_that_vendor(stated, tmp_path):
    """A provider with another vendor's system could not be paid by evidence at all."""
    report = taken(stated, tmp_path, row())
    assert (report.new, report.errors) == (1, ())
    entered, left = events(stated)
    assert (entered.kind, left.kind) == (EventKind.CHECK_IN, EventKind.CHECK_OUT)
    assert {vendor_of(each) for each in (entered, left)} == {"careclock"}
    assert {each.source for each in (entered, left)} == {Source.IMPORT}
    assert (entered.grade_time, entered.grade_place) == (Grade.B, Grade.B)
    assert (entered.worker, entered.customer, entered.at) == ("w1", "c1", factories.NINE + timedelta(minutes=2))


def test_a_feed_pays_by_its_grades_and_the_sentence_names_the_vendor(stated, tmp_path):
    """Its evidence could be mistaken for our own devices'."""
    taken(stated, tmp_path, row())
    assert visit_of(stated).slots[0].attendance.feed == "careclock"
    (verdict,) = judged(stated, line(1))
    assert (verdict.verdict, verdict.payable_pence) == (Verdict.REDUCE, 29 * 91 // 2 + 1)
    assert "The times are from careclock's feed." in verdict.words


def test_an_entry_by_hand_proves_no_place_whatever_the_vendor_is_granted(stated, tmp_path):
    """Manual entries of the vendor would pay like tags."""
    taken(stated, tmp_path, row(by="MAN"))
    visit_of(stated)
    (verdict,) = judged(stated, line(1))
    assert (verdict.verdict, verdict.reason) == (Verdict.WITHHOLD, Reason.GRADE_UNAPPROVED)


def mapping(words, **constants):
    """A layout for a file with columns named as ours."""
    names = words.partition("\n")[0].split(",")
    granted = {"vendor": "v", "grade_time": "B", "grade_place": "B"} | constants
    return Layout(name="v", kind="feed", columns={name: name for name in names}, constants=granted)


def test_a_file_cannot_say_itself_how_far_it_is_trusted(stated, tmp_path):
    """A provider could grant its own spreadsheet the grade that pays."""
    words = "vendor,grade_time,grade_place,row_ref,worker_ref,customer_ref,event,event_at,event_method\n"
    words += "v,B,B,1,w1,c1,check_in,2026-11-02T09:00:00Z,nfc\n"
    report = taken(stated, tmp_path, words=words, layout=None)
    assert ("constant of the vendor's layout" in report.errors[0].words, events(stated)) == (True, [])


def test_a_feed_is_never_granted_the_best_grade(stated, tmp_path):
    """A mapping file could put a vendor's word above a signed event of our own."""
    words = "row_ref,worker_ref,customer_ref,event,event_at,event_method\n1,w1,c1,check_in,2026-11-02T09:00:00Z,nfc\n"
    report = taken(stated, tmp_path, words=words, layout=mapping(words, grade_time="A"))
    assert [(error.field, "B at best" in error.words) for error in report.errors] == [("grade_time", True)]


def test_an_event_a_row_with_instants_gives_the_same_visit(stated, tmp_path):
    """The other common shape of a vendor's export would need a programmer."""
    words = (
        HOMELOG
        + "a1;ARRIVE;2026-11-02T09:02:00.250Z;tag;S1;C1;v1\n"
        + "a2;LEAVE;2026-11-02T10:31:00+01:00;tag;S1;C1;\n"
    )
    assert taken(stated, tmp_path, words=words, layout="homelog").taken_in
    there = visit_of(stated).slots[0].attendance
    assert (there.feed, there.minutes, there.grade_place) == ("homelog", 29, Grade.C)


def test_a_feed_that_comes_again_or_overlaps_doubles_nothing(stated, tmp_path):
    """A nightly export of the last three days would bill every visit three times."""
    taken(stated, tmp_path, row())
    report = taken(stated, tmp_path, row(), row(ref="8842", day="03/11/2026"))
    assert (report.new, report.same) == (1, 1)
    assert len(events(stated)) == 4


def test_a_visit_still_under_way_is_completed_by_the_next_feed(stated, tmp_path):
    """An export made at noon would leave the visit open for ever."""
    taken(stated, tmp_path, row(end="", out_by=""))
    report = taken(stated, tmp_path, row())
    assert (report.changed, report.warnings) == (1, ())
    assert visit_of(stated).slots[0].attendance.minutes == 29


def test_row_15_a_row_that_says_something_else_now_is_kept_beside_for_a_person(stated, tmp_path):
    """bad-input 15: a time bettered afterwards in the vendor's system would be paid."""
    taken(stated, tmp_path, row())
    report = taken(stated, tmp_path, row(end="09:45"))
    assert [(warning.row, warning.field) for warning in report.warnings] == [(2, "row_ref")]
    assert "09:31:00 → 02 November 09:45:00" in report.warnings[0].words
    there = visit_of(stated).slots[0].attendance
    assert there.waits
    assert there.end == factories.NINE + timedelta(minutes=31)
    (verdict,) = judged(stated, line(1))
    assert (verdict.verdict, verdict.reason) == (Verdict.QUERY, Reason.EVIDENCE_WAITS)


def test_a_row_the_vendor_says_was_edited_waits_for_a_person(stated, tmp_path):
    """Corrected times would pay without anybody's approval."""
    taken(stated, tmp_path, row(edited="Y"))
    (event, _) = events(stated)
    assert event.flags == ("amended",)
    visit_of(stated)
    (verdict,) = judged(stated, line(1))
    assert verdict.verdict is Verdict.QUERY


def test_two_rows_of_one_id_in_one_file_conflict_as_well(stated, tmp_path):
    """The second would silently win, or both count."""
    report = taken(stated, tmp_path, row(), row(end="09:45"))
    assert len(report.warnings) == 1
    assert visit_of(stated).slots[0].attendance.waits


def test_a_dry_run_leaves_no_event_no_queue_and_no_reach(stated, tmp_path):
    """A preview would already count as heard of, and hold back alerts."""
    report = taken(stated, tmp_path, row(), dry_run=True)
    assert report.new == 1
    assert events(stated) == []
    assert not ingest_state.reconcile_backlog(stated)
    assert feeds.vendor_feeds_of(stated, provider_ids=["kindly"]) == ()


@pytest.mark.parametrize("rows", [(), (row(),)])
def test_a_file_with_nothing_new_in_it_still_says_that_nothing_happened(stated, tmp_path, rows):
    """The night without visits would be called a missing feed, and its missed visits would never be judged: the same few bytes are sent
    every night."""
    nights = [factories.NINE + timedelta(days=n) for n in (1, 2, 3)]
    reports = []
    for night in nights:
        reports.append(taken(stated, tmp_path, *rows, now=night + timedelta(minutes=5), exported_at=night))
        reach = feed_service.reach_of_feeds(stated, providers=["kindly"])["kindly"]
        assert (reach.covered_until, reach.since) == (night, night + timedelta(minutes=5))
    assert [each.new for each in reports] == [len(rows), 0, 0]
    again = taken(stated, tmp_path, *rows, exported_at=nights[0])
    assert again.already is not None
    assert feed_service.reach_of_feeds(stated, providers=["kindly"])["kindly"].covered_until == nights[-1]


def test_row_74_a_feed_exported_before_the_last_one_is_refused(stated, tmp_path):
    """bad-input 74: yesterday's version of a row would conflict with today's."""
    taken(stated, tmp_path, row(), exported_at=NOW)
    with pytest.raises(FileRefused, match="export it anew"):
        taken(stated, tmp_path, row(ref="1"), exported_at=NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"day": "2026-11-02"}, "check_in_day", "DD/MM/YYYY"),
        ({"start": "9.30"}, "check_in_time", "09:30"),
        ({"by": "FAX"}, "check_in_method", "not among the values"),
        ({"end": "09:02"}, "check_out_time", "not after"),
        ({"end": "08:55"}, "check_out_time", "not after"),
        ({"out_day": "01/11/2026"}, "check_out_time", "not after"),
        ({"day": "01/12/2026", "end": "", "start": "09:00"}, "check_in_time", "still to come"),
        ({"start": "", "end": "", "day": ""}, "check_in_at", "neither"),
        ({"day": ""}, "check_in_day", "beside the time"),
        ({"ref": ""}, "row_ref", "empty"),
    ],
)
def test_a_row_that_cannot_be_is_named_with_its_field(stated, tmp_path, changes, field, words):
    """bad-input 68, 71: the file is all or nothing, and the row at fault is said."""
    report = taken(stated, tmp_path, row(ref="1"), row(**changes))
    assert not report.taken_in
    assert (report.errors[0].row, report.errors[0].field) == (3, field)
    assert words in report.errors[0].words
    assert events(stated) == []


def test_unknown_people_are_said_before_anything_is_taken_in(stated, tmp_path):
    """A feed would be booked on nobody."""
    report = taken(stated, tmp_path, row().replace("S1", "S9").replace("C1", "C9"), dry_run=True)
    assert [error.field for error in report.errors] == ["worker_ref", "customer_ref"]


def test_a_visit_past_midnight_needs_no_day_for_its_check_out(stated, tmp_path):
    """A night visit would be refused, or last minus eight hours."""
    taken(stated, tmp_path, row(start="22:00", end="07:00"))
    entered, left = events(stated)
    assert left.at - entered.at == timedelta(hours=9)


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [("00:30", "02:10", 160), ("01:40", "01:20", 40)],
)
def test_row_76_a_local_time_that_comes_twice_is_read_where_only_one_reading_fits(
    stated, tmp_path, start, end, minutes
):
    """bad-input 76: on the night the clocks go back honest visits would be an hour short, or refused without need."""
    report = taken(stated, tmp_path, row(day="25/10/2026", start=start, out_day="25/10/2026", end=end))
    assert report.errors == ()
    entered, left = events(stated)
    assert left.at - entered.at == timedelta(minutes=minutes)


def test_row_76_a_local_time_that_may_be_either_is_refused_with_the_choices(stated, tmp_path):
    """bad-input 76: one hour of pay would hang on a guess."""
    report = taken(stated, tmp_path, row(day="25/10/2026", start="00:50", end="01:20"))
    assert report.errors[0].field == "check_out_time"
    assert "01:20 BST or 01:20 GMT" in report.errors[0].words


def test_row_76_a_utc_offset_says_which(stated, tmp_path):
    """bad-input 76: a vendor who sends offsets must not be refused."""
    words = (
        "row_ref,worker_ref,customer_ref,check_in_day,check_in_time,check_in_offset\n1,w1,c1,2026-10-25,01:20,+00:00\n"
    )
    assert taken(stated, tmp_path, words=words, layout=mapping(words)).errors == ()
    assert events(stated)[0].at == datetime(2026, 10, 25, 1, 20, tzinfo=UTC)


def test_row_75_a_local_time_that_never_was_is_refused(stated, tmp_path):
    """bad-input 75."""
    report = taken(stated, tmp_path, row(day="29/03/2026", start="01:30", end="03:00"))
    assert report.errors[0].field == "check_in_time"


def test_late_feeds_have_invoices_judged_again(stated, tmp_path):
    """A line withheld for want of evidence would stay withheld after the feed came."""
    (before,) = judged(stated, line(1))
    assert before.reason is Reason.NO_EVIDENCE
    taken(stated, tmp_path, row(end="09:32"), now=NOW + timedelta(hours=1))
    later = NOW + timedelta(hours=1)
    while reconcile.run_pending(stated, now=later, policy=Policy()):
        pass
    (invoice_id,) = invoices.rejudge_behind(stated, now=later, policy=Policy())
    (found,) = invoices.lines_of(stated, invoice_id=invoice_id)
    assert found.verdict.payable_pence == 1365


def test_a_provider_of_whom_only_feeds_come_is_monitored_by_feed(stated, tmp_path):
    """It would be alarmed every evening for a day that its feed tells at night."""
    assert feed_service.reach_of_feeds(stated, providers=["kindly"]) == {}
    taken(stated, tmp_path, row())
    reach = feed_service.reach_of_feeds(stated, providers=["kindly"])
    assert reach["kindly"].covered_until == factories.NINE + timedelta(minutes=31)
    assert feed_service.not_yet_told(reach, provider="kindly", at=factories.NINE + timedelta(hours=2))
    assert not feed_service.not_yet_told(reach, provider="kindly", at=factories.NINE)
    taken(stated, tmp_path, row(ref="2", day="03/11/2026"), exported_at=NOW)
    assert feed_service.reach_of_feeds(stated, providers=["kindly"])["kindly"].covered_until == NOW


def test_a_provider_heard_of_live_is_monitored_live_unless_it_is_set(stated, tmp_path):
    """One imported file would switch the alarms of a live provider off."""
    mark = ingest_state.Watermark(provider="kindly", channel="mqtt", newest_at=NOW, received_at=NOW)
    ingest_state.raise_watermarks(stated, marks=[mark])
    taken(stated, tmp_path, row())
    assert feed_service.reach_of_feeds(stated, providers=["kindly"]) == {}
    feed_service.set_monitoring(
        stated, provider_id="kindly", kind=Monitoring.FEED, why="Phones are only on trial", who="An officer", now=NOW
    )
    assert "kindly" in feed_service.reach_of_feeds(stated, providers=["kindly"])


def test_how_a_provider_is_monitored_is_set_with_a_reason(stated):
    """Alarms could be switched off without anybody having said why."""
    with pytest.raises(MonitoringRefused, match="why"):
        feed_service.set_monitoring(
            stated, provider_id="kindly", kind=Monitoring.FEED, why=" ", who="An officer", now=NOW
        )


def test_the_day_of_an_event_is_queued_whole(stated, tmp_path):
    """The visit would keep its old version until something else happened there."""
    taken(stated, tmp_path, row())
    assert ingest_state.take_reconcile(stated, limit=10) >= {("c1", date(2026, 11, 2))}
