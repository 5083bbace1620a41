"""What a check says."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad it is."""

    FINE = "fine"
    UNKNOWN = "unknown"  # something else has to work first
    ADVICE = "advice"  # it works, and could be better
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the page; `remedy` is empty where all is well."""

    subject: str
    verdict: Verdict
    said: str
    remedy: str = ""


def fine(subject: str, said: str) -> Finding:
    """Return that there is nothing to do."""
    return Finding(subject, Verdict.FINE, said)


def unknown(subject: str, said: str) -> Finding:
    """Return that it cannot be told."""
    return Finding(subject, Verdict.UNKNOWN, said)


def advice(subject: str, said: str, remedy: str) -> Finding:
    """Return what could be better."""
    return Finding(subject, Verdict.ADVICE, said, remedy)


def problem(subject: str, said: str, remedy: str) -> Finding:
    """Return what does not work."""
    return Finding(subject, Verdict.PROBLEM, said, remedy)
