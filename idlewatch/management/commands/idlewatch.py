"""The commands of idlewatch that have no name of their own: `doctor`."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from signal import SIGTERM, signal
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from idlewatch.conf.extras import Extra, is_installed
from idlewatch.doctor.address import Address, parse_address
from idlewatch.doctor.findings import Finding, Section
from idlewatch.management.options import ERASE_LINE

USUAL_ADDRESS = "http://127.0.0.1:8000/"
"""Where `runserver` serves a site, and where one is looked for if no address is given."""
MAX_IDLE = 100.0
"""Seconds that a socket may be left alone: a probe lives for two minutes."""


class Command(BaseCommand):
    """Try the installed site, and say what is wrong with it."""

    help = "doctor: try this site, by itself or through its public address, and say what is wrong with it."
    requires_system_checks = ()  # The doctor runs them itself, and reports each.

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the one subcommand and its options."""
        subcommands = parser.add_subparsers(dest="subcommand", required=True, metavar="doctor")
        doctor = subcommands.add_parser("doctor", help=self.help)
        doctor.add_argument(
            "--url",
            type=_address,
            help=f"the address of the site, as users have it; without it {USUAL_ADDRESS} is tried",
        )
        doctor.add_argument("--user", metavar="NAME", help="try with sessions of this account, meant to have no rights")
        doctor.add_argument(
            "--path", default="/", help="the page that is loaded with a session; by default the start page"
        )
        doctor.add_argument(
            "--idle", type=_idle, default=0.0, metavar="SECONDS", help="leave a socket alone for so long"
        )
        doctor.add_argument("--browser", type=Path, metavar="DIRECTORY", help="drive a Chromium, with pictures in here")
        doctor.add_argument("--json", action="store_true", help="print a JSON object")

    def handle(self, *_args: object, **options: Any) -> None:
        """Print what is found; exit with 1 where something is wrong."""
        if not is_installed(Extra.DOCTOR):
            raise CommandError(f"The package 'websockets' is not installed: {Extra.DOCTOR.command}")
        from idlewatch.doctor import rendering  # noqa: PLC0415 - as below
        from idlewatch.doctor.examination import examine  # noqa: PLC0415 - it needs the extra
        from idlewatch.doctor.site import Options, Site  # noqa: PLC0415 - as above

        user = None if options["user"] is None else _user(options["user"])
        chosen = Options(
            address=options["url"] or parse_address(USUAL_ADDRESS),
            path=options["path"],
            user=user,
            idle=options["idle"],
            pictures=options["browser"],
        )
        began, findings, section = time.monotonic(), list[Finding](), None
        with _terminating(), closing(Site(chosen, self._show_progress)) as site:
            for finding in examine(site):
                findings.append(finding)
                if not options["json"]:
                    section = self._show(finding, section)
        seconds = time.monotonic() - began
        if options["json"]:
            self.stdout.write(rendering.as_json(findings, seconds))
        else:
            self.stdout.write(f"\n{rendering.summary(findings, seconds)}")
        if rendering.has_faults(findings):
            sys.exit(1)

    def _show(self, finding: Finding, before: Section | None) -> Section:
        from idlewatch.doctor.rendering import as_lines  # noqa: PLC0415 - it needs the extra

        self._show_progress("")
        if finding.trial.section is not before:
            self.stdout.write(
                ("" if before is None else "\n") + self.style.MIGRATE_HEADING(finding.trial.section.value)
            )
        style = {"fault": self.style.ERROR, "warning": self.style.WARNING}.get(finding.outcome.value, str)
        self.stdout.write(as_lines(finding), style)
        self.stdout.flush()
        return finding.trial.section

    def _show_progress(self, text: str) -> None:
        if self.stderr.isatty():
            self.stderr.write(ERASE_LINE + text, str, ending="")
            self.stderr.flush()


@contextmanager
def _terminating() -> Iterator[None]:
    """End probes also where the command is asked to stop."""
    before = signal(SIGTERM, lambda *_: sys.exit(1))
    try:
        yield
    finally:
        signal(SIGTERM, before)


def _user(name: str) -> AbstractBaseUser:
    model = get_user_model()
    try:
        user = model._default_manager.get_by_natural_key(name)
    except (model.DoesNotExist, ValueError, ValidationError):
        raise CommandError(f"--user: there is no account {name!r}; expected one that exists, with no rights.") from None
    if not user.is_active:
        raise CommandError(f"--user: the account {name!r} is not active; expected one that can sign in.")
    return user


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def _idle(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= MAX_IDLE:
        raise ArgumentTypeError(f"{text!r} is not a time to wait; expected seconds up to {MAX_IDLE:g}, as in 70.")
    return seconds
