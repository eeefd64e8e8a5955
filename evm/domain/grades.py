"""How far the time and the place of one claim can be trusted (protocol.md, grade of time and grade of place). Not whether it pays:
the agreement says which grades pay by themselves."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from evm.domain.evidence import Claim, Grade, Method
from evm.domain.finding import FindingCode
from evm.domain.ids import CustomerId
from evm.domain.place import Home
from evm.domain.policy import Policy
from evm.domain.travel import is_inside


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """A grade with the finding codes that were seen while grading."""

    grade: Grade
    flags: tuple[str, ...] = ()


_TAG_METHODS = frozenset({Method.NFC, Method.QR, Method.FIXED_TOKEN})
_CLOCK_WENT_BACK = Graded(grade=Grade.D, flags=(FindingCode.CLOCK_TAMPERING.value,))


def worse(first: Grade, second: Grade) -> Grade:
    """The worse of two grades."""
    return max(first, second)


def grade_time(
    *,
    claim: Claim,
    received_at: datetime,
    challenge_issued_at: datetime | None,
    offset_before_seconds: float | None = None,
    offset_after_seconds: float | None = None,
    policy: Policy,
) -> Graded:
    """Grade of time of a claim received at `received_at`.

    `challenge_issued_at`: when the server issued the challenge the claim names, None if it names none or one we never issued to that
    device. `offset_*_seconds`: the phone's wall clock less ours, measured live before and after the offline spell, if known."""
    if claim.server_timed:
        return Graded(grade=Grade.A)
    behind = received_at - claim.captured_at
    if -behind > timedelta(seconds=policy.clock_ahead_seconds_max):
        return _CLOCK_WENT_BACK
    if abs(behind) <= timedelta(seconds=policy.live_receipt_seconds_max):
        return Graded(grade=Grade.A)
    if claim.challenge is None or challenge_issued_at is None:
        return Graded(grade=Grade.D)
    by_challenge = _by_challenge(claim, received_at, challenge_issued_at, policy)
    if by_challenge.grade is Grade.C and _offsets_agree(offset_before_seconds, offset_after_seconds, policy):
        return Graded(grade=Grade.B)
    return by_challenge


def _by_challenge(claim: Claim, received_at: datetime, issued_at: datetime, policy: Policy) -> Graded:
    tolerance = timedelta(seconds=policy.grade_b_offset_seconds_max)
    earliest = issued_at
    elapsed_ms = _elapsed_ms(claim)
    if elapsed_ms is not None:
        if elapsed_ms < 0:
            return _CLOCK_WENT_BACK
        earliest = issued_at + timedelta(milliseconds=elapsed_ms)
        if abs(claim.captured_at - earliest) <= tolerance:
            return Graded(grade=Grade.A)
    if claim.captured_at < earliest - tolerance:
        return _CLOCK_WENT_BACK
    narrow = received_at - earliest <= timedelta(seconds=policy.grade_b_interval_seconds_max)
    return Graded(grade=Grade.B if narrow else Grade.C)


def _elapsed_ms(claim: Claim) -> int | None:
    """Milliseconds from the challenge's arrival to the event on the phone's monotonic clock; None across boots."""
    if claim.monotonic_ms is None or claim.challenge_monotonic_ms is None or claim.boot_id is None:
        return None
    if claim.boot_id != claim.challenge_boot_id:
        return None
    return claim.monotonic_ms - claim.challenge_monotonic_ms


def _offsets_agree(before: float | None, after: float | None, policy: Policy) -> bool:
    """The phone's clock was right before and after the spell and did not move in between ("inside": NaN compares false)."""
    most = policy.grade_b_offset_seconds_max
    if before is None or after is None:
        return False
    return abs(before - after) <= most and abs(before) <= most and abs(after) <= most


def grade_place(
    *,
    claim: Claim,
    customer: CustomerId | None,
    home: Home | None,
    tag_customer: CustomerId | None = None,
    line_customers: Collection[CustomerId] = (),
    policy: Policy,
) -> Graded:
    """Grade of place of a claim resolved to `customer`, who lives at `home`.

    `tag_customer`: whose home the claim's tag belongs to, None if unknown. `line_customers`: whose landline the call came from; only
    a call the server took itself proves a line: a phone can name any."""
    if claim.position is not None and claim.position.mock:
        return Graded(grade=Grade.D, flags=(FindingCode.PLACE_CONTRADICTED.value,))
    if claim.tag is not None and tag_customer is not None and tag_customer != customer:
        return Graded(grade=Grade.D, flags=(FindingCode.PLACE_CONTRADICTED.value,))
    return Graded(grade=_uncontradicted(claim, customer, home, tag_customer, line_customers, policy))


def _uncontradicted(
    claim: Claim,
    customer: CustomerId | None,
    home: Home | None,
    tag_customer: CustomerId | None,
    line_customers: Collection[CustomerId],
    policy: Policy,
) -> Grade:
    if customer is None:
        return Grade.C
    if claim.method in _TAG_METHODS and claim.tag is not None and tag_customer == customer:
        return Grade.A
    if claim.method is Method.LANDLINE and claim.server_timed and customer in line_customers:
        return Grade.B
    if claim.method is Method.GPS and claim.position is not None and home is not None:
        return Grade.B if is_inside(claim.position, home=home, accuracy_m_max=policy.accuracy_m_max) else Grade.C
    return Grade.C
