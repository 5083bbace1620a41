"""What a check says."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    FINE = "fine"
    UNKNOWN = "unknown"  # something else has to work first
    ADVICE = "advice"  # it works, and could be better
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the page; `remedy` is empty where all is well."""

    subject: str
    verdict: Severity
    said: str
    remedy: str = ""


def fine(subject: str, said: str) -> Finding:
    """Return that there is nothing to do."""
    return Finding(subject, Severity.FINE, said)


def unknown(subject: str, said: str) -> Finding:
    """Return that it cannot be told."""
    return Finding(subject, Severity.UNKNOWN, said)


def advice(subject: str, said: str, remedy: str) -> Finding:
    """Return what could be better."""
    return Finding(subject, Severity.ADVICE, said, remedy)


def problem(subject: str, said: str, remedy: str) -> Finding:
    """Return what does not work."""
    return Finding(subject, Severity.PROBLEM, said, remedy)
