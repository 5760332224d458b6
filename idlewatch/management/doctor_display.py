"""What `manage.py idlewatch doctor` shows: findings as they come, or as JSON, and what it is waiting for."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from django.core.management.base import OutputWrapper
from django.core.management.color import Style

from idlewatch.doctor import rendering
from idlewatch.doctor.findings import Finding, Outcome, Section
from idlewatch.management.options import ERASE_LINE


class Display:
    """Where the doctor writes: findings to `out`, progress to `err`, if it is a terminal."""

    def __init__(self, out: OutputWrapper, err: OutputWrapper, style: Style, *, is_json: bool) -> None:
        self._out, self._err = out, err
        self._style = style
        self._is_json = is_json
        self._section: Section | None = None
        # What a pipe or a file gets has one line for each finding.
        self._width = shutil.get_terminal_size().columns if out.isatty() else None

    def show(self, finding: Finding) -> None:
        """Show a finding, below the heading of its section."""
        if self._is_json:
            return
        self.show_progress("")
        section = finding.trial.section
        if section is not self._section:
            between = "" if self._section is None else "\n"
            self._out.write(between + self._style.MIGRATE_HEADING(rendering.heading(section)))
            self._section = section
        outcome, text = rendering.as_lines(finding, self._width)
        self._out.write(self._painted(finding.outcome, outcome) + text)
        self._out.flush()

    def show_progress(self, text: str) -> None:
        """Show what is being waited for; nothing for an empty text."""
        if self._err.isatty():
            line = rendering.printable(text)[: shutil.get_terminal_size().columns - 1]
            self._err.write(ERASE_LINE + line, str, ending="")
            self._err.flush()

    def conclude(self, findings: Sequence[Finding], seconds: float, requests: int) -> None:
        """Show the count and what follows, or the JSON."""
        if self._is_json:
            self._out.write(rendering.as_json(findings, seconds, requests))
        else:
            outcome = Outcome.FAULT if rendering.has_faults(findings) else Outcome.OK
            line, rest = rendering.summary(findings, seconds, requests, self._width)
            self._out.write("\n" + self._painted(outcome, line) + rest)
        self._out.flush()

    def _painted(self, outcome: Outcome, text: str) -> str:
        painters = {
            Outcome.OK: self._style.SUCCESS,
            Outcome.WARNING: self._style.WARNING,
            Outcome.FAULT: self._style.ERROR,
        }
        return painters.get(outcome, str)(text)
