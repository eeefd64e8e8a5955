"""What `popback demo` must reach on every seed, said as sentences. Not the measuring (score) and not the sums over ten seeds."""

from collections.abc import Callable, Mapping
from typing import Final

Result = Mapping[str, int | float]

_BARS: Final[tuple[tuple[str, Callable[[Result], bool]], ...]] = (
    ("at least 500 visits are planned", lambda r: r["visits_planned"] >= 500),
    ("no event is lost", lambda r: r["events_lost"] == 0 and r["events_sent"] > 0),
    ("at least 5 visits are truly missed", lambda r: r["missed_true"] >= 5),
    ("every truly missed visit is alerted", lambda r: r["missed_alerted"] == r["missed_true"]),
    ("at least 5 visits are unlogged", lambda r: r["unlogged"] >= 5),
    ("every door that nobody opened is alerted", lambda r: r["no_reply_alerted"] == r["no_reply"]),
    ("at least 10 visits are offline at their deadline", lambda r: r["visits_offline"] >= 10),
    ("corrections stay within what was offline", lambda r: r["missed_corrected"] <= r["visits_offline"]),
    ("no alert is unjustified", lambda r: r["alerts_unjustified"] == 0),
    ("no visit with evidence stands as missed", lambda r: r["missed_false"] == 0),
    ("at least 3 workers cram", lambda r: r["cramming_worker_true"] >= 3),
    ("at least 3 worker-days are crammed", lambda r: r["cramming_roster_true"] >= 3),
    (
        "exactly the crammed worker-days are flagged",
        lambda r: r["cramming_roster_flagged"] == r["cramming_roster_true"] and r["cramming_roster_false"] == 0,
    ),
    ("at most 2 % of honest minutes need a person", lambda r: r["review_minutes_share"] <= 0.02),
    ("minutes are as expected", lambda r: r["minutes_evidenced"] == r["minutes_expected"] > 0),
    ("the invoice pays what it should", lambda r: r["invoice_payable_pence"] == r["invoice_expected_pence"] > 0),
    (
        "some of the invoice is reduced, withheld and disallowed",
        lambda r: min(r[f"invoice_{part}_pence"] for part in ("reduced", "withheld", "disallowed")) > 0,
    ),
    (
        "the invoice adds up",
        lambda r: (
            r["invoice_claimed_pence"]
            == sum(r[f"invoice_{part}_pence"] for part in ("payable", "reduced", "withheld", "disallowed"))
        ),
    ),
    ("at least 500 visits are rostered", lambda r: r["roster_visits"] >= 500),
    ("at most 1 % of the roster is unfilled", lambda r: r["roster_unfilled"] <= 0.01 * r["roster_visits"]),
    ("the roster breaks no rule", lambda r: r["roster_violations"] == 0),
    ("at least 10 pop-backs are asked", lambda r: r["popbacks_asked"] >= 10),
    ("at least 80 % of pop-backs are promised", lambda r: r["popbacks_promised"] >= 0.8 * r["popbacks_asked"]),
    ("every promised pop-back is kept", lambda r: r["popbacks_kept"] == r["popbacks_promised"]),
)


def shortfalls(result: Result) -> tuple[str, ...]:
    """The bars that `result` (the keys of targets.md) does not reach; empty when it reaches all."""
    return tuple(words for words, reached in _BARS if not reached(result))
