"""One run of the doctor: each section in its order, so that a fault is reported once, and where it is."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from pathlib import Path

from django.db import DatabaseError
from msgspec.structs import replace

from idlewatch.doctor.findings import Finding, Outcome, Section, Trial, fault, skipped
from idlewatch.doctor.sections import browser, channel_layer, database, http, page, process, proxy, socket, store
from idlewatch.doctor.site import Site
from idlewatch.exceptions import StoreUnavailable

Examine = Callable[[Site], Iterator[Finding]]
"""A section: it yields what it finds, as soon as it knows."""

SECTIONS: Mapping[Section, Examine] = {
    Section.PROCESS: process.examine,
    Section.DATABASE: database.examine,
    Section.STORE: store.examine,
    Section.CHANNEL_LAYER: channel_layer.examine,
    Section.HTTP: http.examine,
    Section.PROXY: proxy.examine,
    Section.PAGE: page.examine,
    Section.SOCKET: socket.examine,
    Section.BROWSER: browser.examine,
}


def examine(site: Site, *, is_raising: bool = False) -> Generator[Finding, None, None]:
    """Examine a site; yield what is found. An exception of a section is a finding, too, unless `is_raising`."""
    has_wrong_settings = False
    for section, examine_section in SECTIONS.items():
        try:
            for finding in examine_section(site):
                has_wrong_settings |= finding.trial is Trial.CHECKS and finding.outcome is Outcome.FAULT
                yield _without(finding, site.secrets)
        except Exception as error:
            if is_raising:
                raise
            broken_off = _broken_off(section, error)
            yield _skipped_after_checks(broken_off) if has_wrong_settings else broken_off
        site.note_progress("")


def _skipped_after_checks(broken_off: Finding) -> Finding:
    """Return that the rest of a section was not tried: with settings that the checks refuse, exceptions follow."""
    why = f"{broken_off.came}; see {Trial.CHECKS} first"
    return skipped(broken_off.trial, broken_off.tried, why, "no exception")


def _without(finding: Finding, secrets: Collection[str]) -> Finding:
    """Return a finding without the values of the probes' cookies, wherever an answer of the site repeats them."""
    texts = {"tried": finding.tried, "came": finding.came, "expected": finding.expected, "hint": finding.hint}
    for secret in filter(None, secrets):
        texts = {name: text.replace(secret, "(secret)") for name, text in texts.items()}
    return replace(finding, **texts)


def _broken_off(section: Section, error: Exception) -> Finding:
    """Return the fault that a section raised an exception. Its message may hold a password: it is not shown."""
    trial, hint = _cause_of(section, error)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "idlewatch" in Path(frame.filename).parts]
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    tried = f"The rest of the section {section.value}"
    return fault(trial, tried, f"{type(error).__name__}{place}", "no exception", hint)


def _cause_of(section: Section, error: Exception) -> tuple[Trial, str]:
    """Return the trial to which an exception belongs, and what to do about it."""
    if isinstance(error, DatabaseError):
        hint = (
            "The database failed meanwhile for this command: is it away, locked by another writer, or restarted? A "
            "probe that could not be ended ends by its limit of two minutes."
        )
        return Trial.DATABASE, hint
    if isinstance(error, StoreUnavailable):
        return Trial.STORE, "The store failed meanwhile for this command: is its server away, or restarted?"
    first = next(trial for trial in Trial if trial.section is section)
    return first, "A part of the site raises what the doctor does not expect; with --traceback it shows where."
