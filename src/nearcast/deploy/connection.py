"""What every step of a deployment needs: where it goes, as whom, and whom to tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nearcast.aws import client
from nearcast.settings import Settings

POLL_S = {"local": 0.03, "aws": 2.0}
"""Seconds between two looks at a stack. AWS limits how often an account may ask."""


@dataclass(frozen=True)
class Progress:
    """How far a stack is: resources done, of how many, those in work, and whether it has ended."""

    stack: str
    done: int
    total: int
    current: str
    ended: bool


Note = Callable[[str], None]
Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Connection:
    """The settings, the account that they lead to, and who is told what goes on."""

    settings: Settings
    account: str
    note: Note
    report: Report | None = None

    @property
    def cloudformation(self) -> Any:
        """Return the client of CloudFormation."""
        return client("cloudformation", self.settings)

    @property
    def poll_s(self) -> float:
        """Return the seconds between two looks at a stack."""
        return POLL_S[self.settings.target]

    def stack_name(self, layer: str) -> str:
        """Return the name of a layer's stack."""
        return f"nearcast-{self.settings.environment}-{layer}"
