"""How findings are printed: as lines, one each, or as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from idlewatch.doctor.findings import Finding, Outcome

HINT_INDENT = " " * 9


def as_lines(finding: Finding) -> str:
    """Return a finding as a line, and its hint below.

    Example::

        ok       Handshake of a tab: 101 in 3 ms; expected: 101. https://…/doctor.md#handshake
    """
    tried, came, expected = map(printable, (finding.tried, finding.came, finding.expected))
    line = f"{finding.outcome.value:8} {tried}: {came}; expected: {expected}. {finding.trial.url}"
    return line + (f"\n{HINT_INDENT}{printable(finding.hint)}" if finding.hint else "")


def as_json(findings: Sequence[Finding], seconds: float) -> str:
    """Return findings as a JSON object; `seconds`: the time that the run took."""
    rows = [
        {
            "section": finding.trial.section.value,
            "trial": finding.trial.value,
            "outcome": finding.outcome.value,
            "tried": finding.tried,
            "came": finding.came,
            "expected": finding.expected,
            "hint": finding.hint,
            "docs": finding.trial.url,
        }
        for finding in findings
    ]
    summary = {"ok": not has_faults(findings), "seconds": round(seconds, 1), "counts": counts(findings)}
    return msgspec.json.format(msgspec.json.encode(summary | {"findings": rows}), indent=2).decode()


def summary(findings: Sequence[Finding], seconds: float) -> str:
    """Return the last line."""
    text = ", ".join(f"{count} {outcome}" for outcome, count in counts(findings).items() if count)
    return f"{text}; {seconds:.1f} s."


def counts(findings: Sequence[Finding]) -> dict[str, int]:
    """Return how many findings there are of each outcome."""
    counted = Counter(finding.outcome for finding in findings)
    return {outcome.value: counted[outcome] for outcome in Outcome}


def has_faults(findings: Sequence[Finding]) -> bool:
    """Return whether something is wrong."""
    return any(finding.outcome is Outcome.FAULT for finding in findings)


def printable(text: str) -> str:
    """Return a text for a terminal, which obeys control characters; a site may answer anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
