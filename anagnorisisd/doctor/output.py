"""The page: for people, or as JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from anagnorisisd.doctor.finding import Finding, Severity

MARKS = {Severity.FINE: "ok", Severity.UNKNOWN: "??", Severity.ADVICE: "--", Severity.PROBLEM: "!!"}


def page(findings: Sequence[Finding]) -> str:
    """Return a line for each finding, and another one for its remedy."""
    return "\n".join(line for finding in findings for line in _lines(finding))


def as_json(findings: Sequence[Finding]) -> str:
    """Return a list of objects with subject, verdict, said and remedy."""
    return json.dumps([asdict(finding) for finding in findings], indent=2)


def well(findings: Sequence[Finding]) -> bool:
    """Return whether there is no problem."""
    return not any(finding.verdict is Severity.PROBLEM for finding in findings)


def _lines(finding: Finding) -> list[str]:
    first = f"{MARKS[finding.verdict]} {finding.subject:<16} {finding.said}"
    return [first, f"{'':<19} -> {finding.remedy}"] if finding.remedy else [first]
