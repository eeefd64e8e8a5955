"""Every verdict and every reason that a provider can be shown stands in docs/invoice-verdicts.md, and nothing else does."""

import re
from pathlib import Path

from evm.domain.billing.invoice import Reason, Verdict

PAGE = (Path(__file__).parents[3] / "docs/invoice-verdicts.md").read_text(encoding="utf-8")


def test_every_verdict_and_reason_is_explained_and_no_other():
    """A reason on an invoice that nobody can look up would break this; so would one that no longer exists."""
    explained = set(re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE))
    assert explained == {verdict.value for verdict in Verdict} | {reason.value for reason in Reason}
