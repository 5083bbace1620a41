"""Result of a check, and the output of all results as text or JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Severity of a finding."""

    FINE = "fine"
    UNKNOWN = "unknown"  # cannot be checked, because something else does not work
    ADVICE = "advice"  # works, but could be improved
    PROBLEM = "problem"


MARKS = {Severity.FINE: "ok", Severity.UNKNOWN: "??", Severity.ADVICE: "--", Severity.PROBLEM: "!!"}


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check; `remedy` is empty if there is nothing to do."""

    subject: str
    severity: Severity
    message: str
    remedy: str = ""


def fine(subject: str, message: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(subject, Severity.FINE, message)


def unknown(subject: str, message: str) -> Finding:
    """Return the finding of a check that could not be made."""
    return Finding(subject, Severity.UNKNOWN, message)


def advice(subject: str, message: str, remedy: str) -> Finding:
    """Return a finding about something that could be improved."""
    return Finding(subject, Severity.ADVICE, message, remedy)


def problem(subject: str, message: str, remedy: str) -> Finding:
    """Return a finding about something that does not work."""
    return Finding(subject, Severity.PROBLEM, message, remedy)


def has_problem(findings: Sequence[Finding]) -> bool:
    """Return whether any finding is a problem."""
    return any(finding.severity is Severity.PROBLEM for finding in findings)


def as_text(findings: Sequence[Finding]) -> str:
    """Return a line per finding, each followed by a line with its remedy, if any."""
    return "\n".join(line for finding in findings for line in _lines(finding))


def as_json(findings: Sequence[Finding]) -> str:
    """Return a list of objects with subject, severity, message and remedy."""
    return json.dumps([asdict(finding) for finding in findings], indent=2)


def _lines(finding: Finding) -> list[str]:
    first = f"{MARKS[finding.severity]} {finding.subject:<16} {finding.message}"
    return [first, f"{'':<19} -> {finding.remedy}"] if finding.remedy else [first]
