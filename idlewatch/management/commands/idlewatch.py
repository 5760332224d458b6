"""The commands of idlewatch that have no name of their own: `doctor`."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from idlewatch.conf.extras import Extra, is_installed
from idlewatch.doctor.address import USUAL_ADDRESS
from idlewatch.management.exit_codes import UNUSABLE


class Command(BaseCommand):
    """Try the installed site, and report what is wrong with it."""

    help = "doctor: try this site, by itself or through its public address, and report what is wrong with it."
    missing_args_message = "name a command: doctor, which tries this site and reports what is wrong with it"
    requires_system_checks = ()  # The doctor runs them itself, and reports each.

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the one command and its options."""
        parser.add_argument("command", choices=["doctor"], metavar="doctor", help="try this site")
        parser.add_argument("--url", help=f"the address that users visit; without it {USUAL_ADDRESS} is tried")
        accounts = parser.add_mutually_exclusive_group()
        accounts.add_argument(
            "--user", metavar="NAME", help="try with sessions of this account, meant to have no rights"
        )
        accounts.add_argument(
            "--make-user",
            action="store_true",
            help="in DEBUG: try with sessions of an account that is made for this run, and removed",
        )
        parser.add_argument(
            "--path", help="the page that is loaded with a session; by default the start page, if there is one"
        )
        parser.add_argument("--idle", metavar="SECONDS", help="leave a socket alone for this long, such as 70")
        parser.add_argument("--browser", metavar="DIRECTORY", help="drive a Chromium, and save its pictures in here")
        parser.add_argument("--chromium", metavar="PROGRAM", help="the Chromium for --browser, if it is not found")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: object, **options: Any) -> None:
        """Print what is found; exit with 1 where something is wrong."""
        if not is_installed(Extra.DOCTOR):
            message = f"The package 'websockets' is not installed: {Extra.DOCTOR.command}"
            raise CommandError(message, returncode=UNUSABLE)
        if options["browser"] is not None and not is_installed(Extra.BROWSER):
            message = f"--browser: the package 'playwright' is not installed: {Extra.BROWSER.command}"
            raise CommandError(message, returncode=UNUSABLE)
        from idlewatch.management.doctor import run  # noqa: PLC0415 - it needs the extra
        from idlewatch.management.doctor_display import Display  # noqa: PLC0415 - it needs the extra

        display = Display(self.stdout, self.stderr, self.style, is_json=options["json"])
        exit_code = run(display, options)
        if exit_code:
            sys.exit(exit_code)
