"""One run of the doctor: what becomes of an exception in a section."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from idlewatch.doctor import examination
from idlewatch.doctor.findings import Finding, Outcome, Section, Trial, fault, ok
from idlewatch.doctor.site import Options, Site


def failing(_: Site) -> Iterator[Finding]:
    yield ok(Trial.MIGRATIONS, "Migrations", "all applied", "all applied")
    raise ValueError("password of the database")


def examined(monkeypatch: pytest.MonkeyPatch, checks: Finding) -> list[Finding]:
    sections: dict[Section, Any] = {
        Section.PROCESS: lambda _: iter([checks]),
        Section.DATABASE: failing,
        Section.HTTP: lambda _: iter([ok(Trial.HEALTH, "Health", "200", "200")]),
    }
    monkeypatch.setattr(examination, "SECTIONS", sections)
    return list(examination.examine(Site(Options())))


def test_an_exception_is_a_fault_without_its_text_and_the_run_goes_on(monkeypatch: pytest.MonkeyPatch):
    _, _, broken_off, last = examined(monkeypatch, ok(Trial.CHECKS, "check", "nothing", "nothing"))
    assert (broken_off.outcome, broken_off.trial.section) == (Outcome.FAULT, Section.DATABASE)
    assert broken_off.came.startswith("ValueError in ")
    assert "password" not in str(vars_of(broken_off))
    assert last.trial is Trial.HEALTH


def test_what_raises_with_settings_that_the_checks_refuse_is_no_second_fault(monkeypatch: pytest.MonkeyPatch):
    _, _, broken_off, last = examined(monkeypatch, fault(Trial.CHECKS, "check", "E041", "nothing", "Set USE_TZ."))
    assert broken_off.outcome is Outcome.SKIPPED
    assert broken_off.came.startswith("not tried: ValueError in ")
    assert broken_off.came.endswith("; see system-checks first")
    assert last.trial is Trial.HEALTH


def vars_of(finding: Finding) -> dict[str, str]:
    return {name: str(getattr(finding, name)) for name in finding.__struct_fields__}
