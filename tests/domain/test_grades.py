"""Grades of time and place, sentence by sentence of protocol.md; bad-input row 21."""

from dataclasses import replace
from datetime import timedelta

import pytest

from evm.domain.evidence import Claim, EventKind, Grade, Method
from evm.domain.grades import grade_place, grade_time, worse
from evm.domain.ids import CustomerId, DeviceId, EventId, ProviderId
from evm.domain.place import Position
from evm.domain.policy import Policy
from tests.domain.stories import at, home

POLICY = Policy()
ISSUED = at("08:00")
C1, C2 = CustomerId("c1"), CustomerId("c2")


def claim(**changes):
    """A check-in captured at 09:00, one hour (by the monotonic clock) after a challenge of the same boot."""
    values = {
        "event_id": EventId("e1"),
        "sha256": "00",
        "device_type": "popback_v1",
        "provider": ProviderId("kindly"),
        "device": DeviceId("p1"),
        "kind": EventKind.CHECK_IN,
        "captured_at": at("09:00"),
        "method": Method.NFC,
        "challenge": "abc",
        "challenge_monotonic_ms": 5_000,
        "challenge_boot_id": "boot-1",
        "monotonic_ms": 3_605_000,
        "boot_id": "boot-1",
    }
    return Claim(**(values | changes))


def graded(one, received="13:00", *, issued=ISSUED, **offsets):
    return grade_time(claim=one, received_at=at(received), challenge_issued_at=issued, policy=POLICY, **offsets)


def test_an_event_received_within_a_minute_of_capture_is_a():
    """Broken: a phone with signal would need a challenge."""
    one = claim(challenge=None)
    assert graded(one, "09:01", issued=None).grade is Grade.A
    assert graded(one, "09:01:01", issued=None).grade is Grade.D


def test_an_offline_event_of_the_challenges_boot_is_a():
    """Broken: a phone without signal for hours would need a person."""
    assert graded(claim()).grade is Grade.A


def test_a_wall_clock_set_back_inside_the_spell_is_d_and_flagged():
    """Broken: a clock set back by half an hour would be believed."""
    moved = claim(captured_at=at("08:30"))
    assert graded(moved).grade is Grade.D
    assert graded(moved).flags == ("clock tampering",)


def test_a_wall_clock_set_forward_inside_the_spell_is_never_better_than_c():
    """Broken: a check-out could be moved forward offline."""
    assert graded(claim(captured_at=at("09:30"))).grade is Grade.C


def test_a_monotonic_clock_that_went_back_is_d():
    """Broken: a forged counter would be believed."""
    assert graded(claim(monotonic_ms=1_000)).grade is Grade.D


def test_after_a_restart_a_narrow_interval_is_b_and_a_wide_one_c():
    """Broken: a restarted phone would be trusted without bound."""
    restarted = claim(boot_id="boot-2", monotonic_ms=1)
    assert graded(restarted, "09:08", issued=at("08:59")).grade is Grade.B
    assert graded(restarted, "09:12", issued=at("08:59")).grade is Grade.C


def test_after_a_restart_offsets_that_agree_before_and_after_are_b():
    """Broken: an honest browser killed offline would need a person."""
    restarted = claim(boot_id="boot-2", monotonic_ms=1)
    assert graded(restarted, offset_before_seconds=3.0, offset_after_seconds=-4.0).grade is Grade.B
    assert graded(restarted, offset_before_seconds=3.0, offset_after_seconds=200.0).grade is Grade.C
    assert graded(restarted, offset_before_seconds=float("nan"), offset_after_seconds=0.0).grade is Grade.C
    assert graded(restarted, offset_before_seconds=1900.0, offset_after_seconds=1900.0).grade is Grade.C


@pytest.mark.parametrize(("one", "issued"), [(claim(challenge=None), None), (claim(challenge="forged"), None)])
def test_no_challenge_of_ours_ever_is_d(one, issued):
    """Broken: a phone could make its own challenge up."""
    assert graded(one, issued=issued).grade is Grade.D


def test_row_21_a_time_more_than_five_minutes_ahead_is_kept_with_grade_d():
    """Broken (bad-input 21): an event from the future would be trusted."""
    ahead = graded(claim(), "08:54:59")
    assert ahead.grade is Grade.D
    assert ahead.flags == ("clock tampering",)
    assert graded(claim(challenge=None), "08:59:30").grade is Grade.A


def test_the_servers_own_clock_is_a():
    """Broken: telephone calls would be doubted."""
    assert graded(claim(server_timed=True, challenge=None), issued=None).grade is Grade.A


def place(one, *, customer=C1, tag=None, line=()):
    return grade_place(
        claim=one, customer=customer, home=home(), tag_customer=tag, line_customers=line, policy=POLICY
    ).grade


@pytest.mark.parametrize("method", [Method.NFC, Method.QR, Method.FIXED_TOKEN])
def test_the_homes_own_token_is_a_another_homes_d_and_an_unknown_one_c(method):
    """Broken: any tag would prove any home."""
    one = claim(method=method, tag="tag-1")
    assert place(one, tag=C1) is Grade.A
    assert place(one, tag=C2) is Grade.D
    assert place(one, tag=None) is Grade.C
    assert place(replace(one, tag=None), tag=None) is Grade.C


def test_gps_inside_the_radius_is_b_and_outside_c():
    """Broken: a fix would prove more or less than it does."""
    here = home()
    fix = Position(latitude=here.latitude, longitude=here.longitude, accuracy_m=12.0)
    far = home(400)
    assert place(claim(method=Method.GPS, position=fix)) is Grade.B
    assert place(claim(method=Method.GPS, position=replace(fix, latitude=far.latitude))) is Grade.C
    assert place(claim(method=Method.GPS, position=replace(fix, latitude=float("nan")))) is Grade.C
    assert place(claim(method=Method.GPS)) is Grade.C


def test_a_mocked_fix_contradicts_whatever_else_is_said():
    """Broken: a mock-location app would pass with a copied tag."""
    here = home()
    fix = Position(latitude=here.latitude, longitude=here.longitude, accuracy_m=12.0, mock=True)
    assert place(claim(method=Method.GPS, position=fix)) is Grade.D
    assert place(claim(method=Method.NFC, tag="tag-1", position=fix), tag=C1) is Grade.D


def test_the_customers_registered_line_is_b_any_other_c():
    """Broken: a call from anywhere would prove a home."""
    one = claim(method=Method.LANDLINE, line="+441614960001", server_timed=True)
    assert place(one, line=(C1, C2)) is Grade.B
    assert place(one, line=(C2,)) is Grade.C
    assert place(one, line=()) is Grade.C


def test_a_phone_that_only_names_a_landline_proves_no_place():
    """Broken: any phone could prove any home by sending its telephone number."""
    assert place(claim(method=Method.LANDLINE, line="+441614960001"), line=(C1,)) is Grade.C


def test_a_typed_home_is_c_and_an_unknown_customer_never_better():
    """Broken: a home typed by hand would pay by itself."""
    assert place(claim(method=Method.MANUAL)) is Grade.C
    assert place(claim(method=Method.NFC, tag="tag-9"), customer=None) is Grade.C


def test_the_worse_of_two_grades():
    """Broken: a visit would take the better of its two events."""
    assert worse(Grade.A, Grade.C) is Grade.C
    assert worse(Grade.D, Grade.B) is Grade.D
    assert at("09:00") - ISSUED == timedelta(hours=1)
