"""Every data check: its name, how severe a finding is, and the rule that it holds the rows to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What a finding leads to."""

    FAILURE = "failure"
    """The lake differs from its source: the run fails."""

    ERROR = "error"
    """The row is wrong: it is quarantined, and the run goes on."""

    WARNING = "warning"
    """Somebody should look at it: it is reported."""


@dataclass(frozen=True)
class Check:
    """A data check.

    Parameters
    ----------
    name
        Its name in results, quarantine and alerts.
    severity
        What a finding leads to.
    rule
        What must hold, in one line.
    releasable
        Whether a person may overrule its findings: it infers that a row is wrong. One that is not states a fact
        about the row by which nothing can be computed from it.
    """

    name: str
    severity: Severity
    rule: str
    releasable: bool = False


CHECKS: tuple[Check, ...] = (
    Check("missing", Severity.FAILURE, "every published row is in the lake"),
    Check("extra", Severity.FAILURE, "every row of the lake is in the source"),
    Check("different", Severity.FAILURE, "values and versions are equal, prices by their 64 bits"),
    Check("duplicates", Severity.FAILURE, "the lake holds a key once"),
    Check("missing_value", Severity.ERROR, "no value is null"),
    Check("price_not_positive", Severity.ERROR, "prices are finite and above 0"),
    Check("negative_volume", Severity.ERROR, "volume ≥ 0"),
    Check("high_too_low", Severity.ERROR, "high ≥ max(open, close, low)"),
    Check("low_too_high", Severity.ERROR, "low ≤ min(open, close)"),
    Check("duplicate_key", Severity.ERROR, "a symbol has one row a day"),
    Check("future_date", Severity.ERROR, "the session has closed", releasable=True),
    Check("no_session", Severity.ERROR, "the exchange was open that day", releasable=True),
    Check("spike", Severity.ERROR, "no lone bar lies far beyond both of its neighbours", releasable=True),
    Check("repeated_bar", Severity.ERROR, "no traded bar is repeated in 3 sessions or more", releasable=True),
    Check("stale_prices", Severity.WARNING, "no bar, traded or not, stays the same for 5 sessions"),
    Check("unadjusted_split", Severity.WARNING, "no jump has the ratio of a split"),
    Check("jump", Severity.WARNING, "no price is far from the close before"),
    Check("missing_session", Severity.WARNING, "every session between two rows has a row"),
    Check("stale_symbol", Severity.WARNING, "no symbol ends 5 sessions or more before the others"),
)
"""In the order in which they are run and shown."""

BY_NAME = {check.name: check for check in CHECKS}
