"""How findings are printed: as lines, one each, or as JSON."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence

import msgspec

from idlewatch.doctor.findings import Finding, Outcome, Section, Trial
from idlewatch.doctor.phrases import counted

INDENT = 9
"""Columns of the outcome at the start of a line."""
MIN_WIDTH = 40
"""Columns of a terminal below which nothing is wrapped."""
MAX_TEXT = 500
"""Characters of what came; a site may answer anything."""


def heading(section: Section) -> str:
    """Return the heading of a section."""
    return section.value[0].upper() + section.value[1:]


def as_lines(finding: Finding, width: int | None = None) -> tuple[str, str]:
    """Return the outcome of a finding and the rest of its line, with its hint below.

    `width`: the columns to which both are wrapped; None for one line each.

    Example::

        ok       Handshake of a tab: 101 in 3 ms; expected: 101. https://…/doctor.md#handshake
    """
    tried, came, expected = map(_phrase, (finding.tried, finding.came, finding.expected))
    line = f"{tried}: {came}; expected: {expected}. {finding.trial.url}"
    text = _wrapped(line, width)
    if finding.hint:
        text += "\n" + " " * INDENT + _wrapped(printable(finding.hint), width)
    return f"{finding.outcome.value:{INDENT}}", text


def as_json(findings: Sequence[Finding], seconds: float, requests: int) -> str:
    """Return findings as a JSON object; `seconds`: the time that the run took, in which it sent so many requests."""
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
    summary = {
        "ok": not has_faults(findings),
        "seconds": round(seconds, 1),
        "requests": requests,
        "counts": counts(findings),
    }
    return msgspec.json.format(msgspec.json.encode(summary | {"findings": rows}), indent=2).decode()


def summary(findings: Sequence[Finding], seconds: float, requests: int, width: int | None = None) -> tuple[str, str]:
    """Return what came of it all, in words, and the rest of the last line: what to do next, counts and time."""
    faults, warnings = _named(findings, Outcome.FAULT), _named(findings, Outcome.WARNING)
    numbers = counts(findings)
    first = f"{counted(numbers['fault'], 'fault')}: {faults}." if faults else _without_faults(findings)
    rest = []
    if numbers["fault"] == 1:
        rest.append("Fix it, and run this again.")
    elif faults:
        rest.append("Fix the first, which may have caused the others, and run this again.")
    if warnings:
        rest.append(f"{counted(numbers['warning'], 'warning')}: {warnings}.")
    if numbers["skipped"]:
        rest.append(f"{numbers['skipped']} not tried; each line says why.")
    sent = f" and {counted(requests, 'request')}, handshakes included" if requests else ""
    rest.append(f"{numbers['ok']} of {counted(len(findings), 'trial')} ok, in {seconds:.1f} s{sent}.")
    return first, _wrapped(f"{first} {' '.join(rest)}", width, indent=0).removeprefix(first)


def _without_faults(findings: Sequence[Finding]) -> str:
    if any(finding.trial is Trial.CHALLENGE and finding.outcome is Outcome.SKIPPED for finding in findings):
        return "Nothing is wrong here, but no site was tried: start it, or give its address with --url."
    return "Nothing is wrong."


def counts(findings: Sequence[Finding]) -> dict[str, int]:
    """Return how many findings there are of each outcome."""
    numbers = Counter(finding.outcome for finding in findings)
    return {outcome.value: numbers[outcome] for outcome in Outcome}


def has_faults(findings: Sequence[Finding]) -> bool:
    """Return whether something is wrong."""
    return any(finding.outcome is Outcome.FAULT for finding in findings)


def printable(text: str) -> str:
    """Return a text for a terminal, which obeys control characters; a site may answer anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def _phrase(text: str) -> str:
    return printable(text)[:MAX_TEXT].removesuffix(".")


def _named(findings: Sequence[Finding], outcome: Outcome) -> str:
    return ", ".join(dict.fromkeys(finding.trial.value for finding in findings if finding.outcome is outcome))


def _wrapped(text: str, width: int | None, indent: int = INDENT) -> str:
    """Return a text in lines that end before `width`, each but the first indented; the first begins after an indent."""
    if width is None or width < MIN_WIDTH:
        return text
    lines = textwrap.wrap(text, width - 1 - indent, break_long_words=False, break_on_hyphens=False)
    return ("\n" + " " * indent).join(lines)
