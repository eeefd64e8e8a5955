"""How values read to a person: money, durations, statuses, grades. Not what they are worth (evm.domain)."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DASH: Final = "\N{EN DASH}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Text and sign and colour, always all three: nobody has to see the colour to know."""

    text: str
    sign: str
    colour: str


STATUSES: Final = {
    "pending": Status(text="Not yet due", sign="○", colour="grey"),
    "overdue": Status(text="No check-in yet", sign="!", colour="orange"),
    "under way": Status(text="Under way", sign="▶", colour="blue"),
    "delivered": Status(text="Delivered", sign="✓", colour="green"),
    "part delivered": Status(text="Part delivered", sign="◐", colour="yellow"),
    "missed": Status(text="Missed", sign="✗", colour="red"),
    "cancelled": Status(text="Cancelled", sign=DASH, colour="grey"),
    "refused by customer": Status(text="Refused by customer", sign="⊘", colour="purple"),
    "no reply": Status(text="No reply", sign="?", colour="red"),
}
RISKS: Final = {
    "time_critical": Status(text="Time-critical", sign="!!", colour="red"),
    "standard": Status(text="Standard", sign="!", colour="orange"),
    "low": Status(text="Low", sign="·", colour="grey"),
}
ALERT_STATES: Final = {
    "open": Status(text="Open", sign="●", colour="red"),
    "acknowledged": Status(text="Acknowledged", sign="◐", colour="yellow"),
    "closed": Status(text="Closed", sign="✓", colour="grey"),
}
STAGES: Final = {"warn": "warning", "page": "page", "missed": "missed"}
VERDICTS: Final = {
    "pay": Status(text="Pay", sign="✓", colour="green"),
    "reduce": Status(text="Reduce", sign="↓", colour="yellow"),
    "withhold": Status(text="Withhold", sign="■", colour="orange"),
    "query": Status(text="Query", sign="?", colour="purple"),
    "disallow": Status(text="Disallow", sign="✗", colour="red"),
    "not judged": Status(text="Not judged yet", sign="○", colour="grey"),
}
ROSTER_STATES: Final = {
    "draft": Status(text="Draft", sign="○", colour="yellow"),
    "published": Status(text="Published", sign="✓", colour="green"),
    "superseded": Status(text="Superseded", sign=DASH, colour="grey"),
}
DEVICE_STATES: Final = {
    "online": Status(text="Connected", sign="●", colour="green"),
    "offline": Status(text="Not connected", sign="○", colour="grey"),
    "unsaid": Status(text="Connection not known", sign="?", colour="grey"),
    "never": Status(text="Never heard of", sign="!", colour="orange"),
    "revoked": Status(text="Revoked", sign="✗", colour="grey"),
}
KINDS: Final = {
    "check_in": "Check-in",
    "check_out": "Check-out",
    "task_outcome": "Task outcomes",
    "note": "Note",
    "no_reply": "No reply at the door",
    "customer_refused": "Refused by customer",
    "assistance": "Assistance asked for",
    "popback_request": "Pop-back asked for",
    "on_my_way": "On my way",
    "heartbeat": "Heartbeat",
    "amendment": "Amendment",
}
METHODS: Final = {
    "nfc": "NFC tag",
    "qr": "QR tag",
    "gps": "GPS position",
    "landline": "customer's landline",
    "fixed_token": "fixed token",
    "manual": "by hand",
}
TIME_GRADES: Final = {
    "A": "Exact: counted by the phone from a challenge of ours, without being switched off between",
    "B": "Good: the true time lies within ten minutes, or the phone's clock was right before and after",
    "C": "Wide: the true time cannot be narrowed to ten minutes",
    "D": "Not trusted: no challenge was ever seen, or the phone's clock was moved",
}
PLACE_GRADES: Final = {
    "A": "Proved: a tag of this home was read",
    "B": "Good: inside the home's radius",
    "C": "Not proved",
    "D": "Contradicted: a tag of another home was read",
}


def time_why(*, grade: str, method: str, seconds_until_received: int, live_seconds_max: int) -> str:
    """Why a time has its grade (protocol.md, grade of time)."""
    if grade == "A" and method == "landline":
        return "Exact: timed by our own clock when the call came"
    if grade == "A" and 0 <= seconds_until_received <= live_seconds_max:
        return "Exact: it reached us as it happened"
    return TIME_GRADES[grade]


def feed_why(*, vendor: str, grade: str, method: str, of: str) -> str:
    """Why an event of another vendor's feed has its grade: what the council grants that vendor, and no more."""
    if of == "place" and method == "manual":
        return f"Not proved: entered by hand in {vendor}'s system"
    return f"Grade {grade} is what is granted to {vendor}'s feed: nobody here saw the device"


def place_why(*, grade: str, method: str, mock: bool | None, has_position: bool) -> str:
    """Why a place has its grade (protocol.md, grade of place)."""
    if grade == "B" and method == "landline":
        return "Good: called from this customer's registered line"
    if grade == "D" and mock:
        return "Contradicted: the phone says that its position was made up"
    if grade == "C":
        how = {"landline": "the line is not registered for one customer", "manual": "entered by hand"}
        inside = (
            "the position lies outside the home's radius, or is too vague"
            if has_position
            else "no position came with it"
        )
        return f"Not proved: {how.get(method, inside)}"
    return PLACE_GRADES[grade]


def status_of(table: dict[str, Status], key: str) -> Status:
    """The status of a code; a code nobody has described yet is shown as it stands, in grey."""
    return table.get(key, Status(text=key.replace("_", " ").capitalize(), sign="·", colour="grey"))


def pounds(pence: int | None) -> str:
    """Money, "£1,234.50", with a true minus sign."""
    if pence is None:
        return DASH
    sign = "\N{MINUS SIGN}" if pence < 0 else ""
    return f"{sign}£{abs(pence) // 100:,}.{abs(pence) % 100:02d}"


def plain(text: str | None) -> str:
    """A name or note without the marks that turn the direction of writing, so that it cannot disguise its neighbours."""
    if text is None:
        return ""
    return "".join(sign for sign in text if unicodedata.bidirectional(sign) not in _TURNING)


_TURNING: Final = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def with_names(sentence: str, *, names: Mapping[str, str]) -> str:
    """A sentence with "worker w-12" and "customer c-067" said by name, of those whose names are known."""
    return _PERSON.sub(lambda found: names.get(found[1], found[0]), sentence)


_PERSON: Final = re.compile(r"\b(?:[Ww]orker|[Cc]ustomer) ([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(?![a-z0-9-])")


def duration(seconds: int | None) -> str:
    """A length of time: "2 h 05 min", "12 min", "48 s"."""
    if seconds is None:
        return DASH
    minutes, rest = divmod(abs(int(seconds)), 60)
    if minutes == 0:
        return f"{rest} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number of things: "1 visit", "2 visits"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def distance_band(metres: float | None, *, radius_m: float) -> str:
    """How far from the home, in bands: the exact position is nobody's business on a page."""
    if metres is None:
        return "no position"
    if metres <= radius_m:
        return f"inside {radius_m:.0f} m"
    for limit, text in ((500, "up to 500 m away"), (1000, "500 m to 1 km away"), (5000, "1 to 5 km away")):
        if metres <= limit:
            return text
    return "more than 5 km away"
