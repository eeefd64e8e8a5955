"""What a person does about an alert, done for every alert of its group: one slot of one visit is one matter. Not which alerts belong
together (evm.store.screens.alerts) and not the page or the route that asks for it."""

from datetime import datetime

from sqlalchemy.orm import Session

from api.auth import Viewer
from api.problems import not_found
from evm.services import watch
from evm.store.screens import alerts


def acknowledge(session: Session, *, viewer: Viewer, alert_id: int, words: str, now: datetime) -> None:
    """Take on this alert and the unclosed others of its group; each keeps its own history. Problem 404 out of scope; watch.AlertNotOpen
    when this one is closed."""
    for each in _unclosed(session, viewer=viewer, alert_id=alert_id):
        watch.acknowledge(session, alert_id=each, who=viewer.account.name, words=words, now=now)


def close(session: Session, *, viewer: Viewer, alert_id: int, outcome: str, now: datetime) -> None:
    """Close this alert and the unclosed others of its group with one outcome. Raises as `acknowledge` does."""
    for each in _unclosed(session, viewer=viewer, alert_id=alert_id):
        watch.close(session, alert_id=each, who=viewer.account.name, outcome=outcome, now=now)


def _unclosed(session: Session, *, viewer: Viewer, alert_id: int) -> tuple[int, ...]:
    group = alerts.group_of(session, scope=viewer.scope, alert_id=alert_id)
    if group is None:
        raise not_found()
    if group.head.state == "closed":
        raise watch.AlertNotOpen(alert_id=alert_id)
    return group.unclosed
