"""What the commands share: whose sessions, how old, and a question before anything is done for good."""

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
LONGEST = timedelta(weeks=52 * 1000)
"""A thousand years: before that, there are no dates."""

ERASE_LINE = "\r\x1b[K"


def add_user_option(parser: _ActionsContainer) -> None:
    """Let a command be told whose sessions are meant."""
    parser.add_argument("--user", metavar="NAME", help="those of this user alone")


def of_user(rows: WatchedSessionQuerySet, name: str | None) -> WatchedSessionQuerySet:
    """Return those of one user by name; None: of all.

    Raises:
        CommandError: there is no such user, and none of that name has left a record.
    """
    if name is None:
        return rows
    user = _user(name)
    found = Q(user=None, username=name) if user is None else Q(user=user)
    if user is None and not WatchedSession.objects.filter(found).exists():
        raise CommandError(f"There is no user {name!r}.")
    return rows.filter(found)


def _user(name: str) -> AbstractBaseUser | None:
    model = get_user_model()
    try:
        return model._default_manager.filter(**{model.USERNAME_FIELD: name}).first()
    except (ValueError, ValidationError):
        # Nobody is called by a word where names are numbers, say.
        return None


def age(text: str) -> timedelta:
    """Return a span as it is written on the command line: 90d.

    Raises:
        ArgumentTypeError: it is none.
    """
    found = re.fullmatch(r"([0-9]{1,6})([mhdw])", text.strip())
    span = timedelta(**{UNITS[found[2]]: int(found[1])}) if found else timedelta(0)
    if not timedelta(0) < span <= LONGEST:
        raise ArgumentTypeError(f"{text!r} is no age; expected a number and m, h, d or w, as in 90d.")
    return span


def confirm(question: str, *, ask: bool) -> None:
    """Have the user say yes to what can't be undone.

    Raises:
        CommandError: they did not, or there is nobody to ask.
    """
    if not ask:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{question} Nobody can answer here; expected --noinput to go ahead.")
    try:
        answer = input(f"{question} [y/N] ")
    except (EOFError, KeyboardInterrupt):
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise CommandError("Nothing was done.")


@contextmanager
def progress(out: OutputWrapper, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Show how far a command is, on a terminal alone; yield the function that advances it."""
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
