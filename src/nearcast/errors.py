"""Every error that a user may see: what happened, what was kept, what to do next."""

from __future__ import annotations


class NearcastError(Exception):
    """An expected failure; the command line prints it without a traceback and exits with 1.

    Parameters
    ----------
    happened
        What went wrong, in one sentence.
    kept
        What is still as it was, or what was done before the failure.
    todo
        What the user can do next.
    """

    def __init__(self, happened: str, *, kept: str = "", todo: str = "") -> None:
        super().__init__(happened)
        self.happened = happened
        self.kept = kept
        self.todo = todo


class ServiceError(NearcastError):
    """A local service did not start, or stopped."""


class SourceError(NearcastError):
    """The source refused: no such file, not a CSV, no database."""


class DeployError(NearcastError):
    """A CloudFormation stack could not be made or changed."""


class LakeError(NearcastError):
    """A crawler, a job, a query or the local copy failed."""


class ForecastError(NearcastError):
    """There is no model, or not enough history, for a forecast."""
