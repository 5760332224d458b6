"""The parts that commands share: options, a confirmation, and a progress line."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentTypeError, _ActionsContainer
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, OutputWrapper
from django.db.models import Q

from idlewatch.managers import WatchedSessionQuerySet
from idlewatch.models import WatchedSession

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
MAX_AGE = timedelta(weeks=52 * 1000)
"""A thousand years: datetimes do not reach back much farther."""

ERASE_LINE = "\r\x1b[K"
"""Terminal codes that return to the start of the line and clear it."""


def add_user_option(parser: _ActionsContainer) -> None:
    """Add the option `--user`."""
    parser.add_argument("--user", metavar="NAME", help="only sessions of this user")


def of_user(rows: WatchedSessionQuerySet, name: str | None) -> WatchedSessionQuerySet:
    """Return the records of the user with this name, or all of them if it is None.

    Raises:
        CommandError: there is no such user, nor a record of a deleted one.
    """
    if name is None:
        return rows
    user = find_user(name)
    condition = Q(user=None, username=name) if user is None else Q(user=user)
    if user is None and not WatchedSession.objects.filter(condition).exists():
        raise CommandError(f"There is no user {name!r}.")
    return rows.filter(condition)


def find_user(name: str) -> AbstractBaseUser | None:
    """Return the account with this user name, whatever the model's default manager hides; None if there is none."""
    model = get_user_model()
    try:
        return model._base_manager.filter(**{model.USERNAME_FIELD: name}).first()
    except (ValueError, ValidationError):
        # The user names of this project have another type, such as numbers.
        return None


def age(text: str) -> timedelta:
    """Return the duration that a string such as 90d stands for.

    Raises:
        ArgumentTypeError: it is not an age.
    """
    match = re.fullmatch(r"([0-9]{1,6})([mhdw])", text.strip())
    duration = timedelta(**{UNITS[match[2]]: int(match[1])}) if match else timedelta(0)
    if not timedelta(0) < duration <= MAX_AGE:
        raise ArgumentTypeError(f"{text!r} is not an age; expected a number and m, h, d or w, as in 90d.")
    return duration


def confirm(question: str, *, ask: bool) -> None:
    """Ask the user to confirm what can't be undone.

    Raises:
        CommandError: the user declined, or the terminal is not interactive.
    """
    if not ask:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{question} The terminal is not interactive; use --noinput to go ahead.")
    try:
        answer = input(f"{question} [y/N] ")
    except (EOFError, KeyboardInterrupt):
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise CommandError("Nothing was done.")


@contextmanager
def progress(out: OutputWrapper, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Show the progress of a command if `out` is a terminal; yield the function that advances it."""
    done = shown = 0

    def advance(by: int) -> None:
        nonlocal done, shown
        done += by
        percent = 100 * done // max(total, 1)
        if percent != shown:
            shown = percent
            # `str` styles nothing: Django shows what goes to stderr as an error.
            out.write(f"\r{done} of {total} {unit} ({percent} %)", str, ending="")
            out.flush()

    if not out.isatty():
        yield lambda _: None
        return
    try:
        yield advance
    finally:
        out.write(ERASE_LINE, str, ending="")
