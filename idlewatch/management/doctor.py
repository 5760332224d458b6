"""A run of `manage.py idlewatch doctor`: it examines the site, shows what is found, and leaves no probe behind."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext, redirect_stdout
from signal import SIG_IGN, SIGINT, SIGTERM, Signals, getsignal, signal
from types import FrameType
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.management.base import CommandError

from idlewatch.doctor import rendering
from idlewatch.doctor.address import USUAL_ADDRESS, parse_address
from idlewatch.doctor.examination import examine
from idlewatch.doctor.findings import Finding
from idlewatch.doctor.site import Options, Site
from idlewatch.doctor.throwaway_account import NoThrowawayAccount, throwaway_account
from idlewatch.management.doctor_display import Display
from idlewatch.management.doctor_options import options_of
from idlewatch.management.exit_codes import FAULTY, HEALTHY, SIGNALED, UNUSABLE

SIGNALS = [SIGINT, SIGTERM, *(each for each in Signals if each.name == "SIGHUP")]
"""What ends a run: Ctrl-C, a request to stop, and a terminal that is closed (where the system has that)."""


class Stopped(KeyboardInterrupt):
    """A signal asked the doctor to stop. An event loop passes on no other exceptions than interrupts."""

    def __init__(self, number: int) -> None:
        self.number = number


def run(display: Display, given: Mapping[str, Any]) -> int:
    """Examine the site under these options, and return the exit code.

    Raises:
        CommandError: an option is wrong, or a signal asked to stop.
    """
    options = options_of(given)
    # What the site's own code prints must not get into the JSON.
    try:
        with _stoppable(), redirect_stdout(sys.stderr) if given["json"] else nullcontext():
            return _run(display, options, is_raising=given["traceback"], makes_user=given["make_user"])
    except Stopped as stopped:
        display.show_progress("")
        message = "Stopped. The probes that were begun have been ended."
        raise CommandError(message, returncode=SIGNALED + stopped.number) from None
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; at exit Python would flush once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNUSABLE


def _run(display: Display, options: Options, *, is_raising: bool, makes_user: bool) -> int:
    began, findings = time.monotonic(), list[Finding]()
    with ExitStack() as stack:
        if makes_user and options.accounts_failure is None:
            options = options._replace(user=stack.enter_context(_throwaway_account()))
        site = stack.enter_context(closing(_site(options, display)))
        for finding in stack.enter_context(closing(examine(site, is_raising=is_raising))):
            findings.append(finding)
            display.show(finding)
        requests = 0 if site.client is None else site.client.count
    display.conclude(findings, time.monotonic() - began, requests)
    return FAULTY if rendering.has_faults(findings) else HEALTHY


@contextmanager
def _throwaway_account() -> Iterator[AbstractBaseUser]:
    try:
        with throwaway_account() as user:
            yield user
    except NoThrowawayAccount as error:
        raise CommandError(f"--make-user: {error}", returncode=UNUSABLE) from None


def _site(options: Options, display: Display) -> Site:
    """Return the site at its address: by default at the usual one, if a process of it answers there."""
    if options.address is not None:
        return Site(options, display.show_progress)
    display.show_progress(f"Looking for the site at {USUAL_ADDRESS}")
    usual = Site(options._replace(address=parse_address(USUAL_ADDRESS)), display.show_progress)
    if usual.reports:
        return usual
    usual.close()
    return Site(options, display.show_progress)


@contextmanager
def _stoppable() -> Iterator[None]:
    """End probes also where the run is asked to stop, and do so undisturbed."""

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in before:
            signal(each, lambda *_: None)
        raise Stopped(number)

    # What is ignored, as in the background or under `nohup`, stays so.
    before = {number: getsignal(number) for number in SIGNALS if getsignal(number) is not SIG_IGN}
    for number in before:
        signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal(number, handler)
