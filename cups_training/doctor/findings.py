"""One line of the doctor's report; every check returns some."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How good a finding is."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was found and what to do about it.

    Attributes:
        subject: what was looked at.
        verdict: ok, an optional part that is missing, or something wrong.
        found: version or state.
        advice: the next command to run; empty when all is well.
    """

    subject: str
    verdict: Verdict
    found: str
    advice: str = ""
