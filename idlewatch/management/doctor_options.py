"""The options of `manage.py idlewatch doctor`, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.management.base import CommandError
from django.db import DatabaseError

from idlewatch.doctor.address import parse_address, parse_path
from idlewatch.doctor.site import Options
from idlewatch.management.exit_codes import UNUSABLE
from idlewatch.management.options import find_user
from idlewatch.monitor.probes import find_backend

T = TypeVar("T")

MAX_IDLE = 100.0
"""Seconds that a socket may be left alone: a probe lives for two minutes."""


def options_of(given: Mapping[str, Any]) -> Options:
    """Return what the operator asked for.

    Raises:
        CommandError: an option is wrong; the message names what came and what was expected.
    """
    pictures = _option(given, "browser", _directory)
    chromium = _option(given, "chromium", _program)
    if chromium is not None and pictures is None:
        raise _wrong("chromium", "it needs --browser DIRECTORY, where its pictures are saved.")
    failure = _accounts_failure() if given["user"] is not None or given["make_user"] else None
    return Options(
        address=_option(given, "url", parse_address),
        path=_option(given, "path", parse_path),
        user=None if failure else _option(given, "user", _user),
        idle=_option(given, "idle", _idle) or 0.0,
        pictures=pictures,
        chromium=chromium,
        accounts_failure=failure,
    )


def _accounts_failure() -> str | None:
    """Return why no account can be read: the doctor tells of it among the other faults, and stops for none."""
    try:
        get_user_model()._base_manager.exists()
    except DatabaseError as error:
        return f"accounts can't be read ({type(error).__name__})"
    return None


def _option(given: Mapping[str, Any], name: str, parse: Callable[[str], T]) -> T | None:
    value = given[name]
    if value is None:
        return None
    try:
        return parse(str(value))
    except ValueError as error:
        raise _wrong(name, str(error)) from None


def _wrong(name: str, message: str) -> CommandError:
    return CommandError(f"--{name}: {message}", returncode=UNUSABLE)


def _user(name: str) -> AbstractBaseUser:
    user = find_user(name)
    if user is None:
        raise ValueError(f"there is no account {name!r}; expected one that exists, with no rights.")
    if not user.is_active:
        raise ValueError(f"the account {name!r} is not active; expected one that can sign in.")
    if find_backend(user) is None:
        raise ValueError(f"none of AUTHENTICATION_BACKENDS finds the account {name!r}; expected one that can sign in.")
    return user


def _idle(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds <= MAX_IDLE:
        raise ValueError(f"{text!r} is not a time to wait; expected seconds, more than 0 and up to {MAX_IDLE:g}.")
    return seconds


def _directory(text: str) -> Path:
    path = Path(text)
    if not text or (path.exists() and not path.is_dir()):
        raise ValueError(f"{text!r} is no directory; expected one for pictures, which is made if it is missing.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{text!r} can't be made: {error.strerror}; expected a directory for pictures.") from None
    return path


def _program(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"{text!r} is no file; expected the program of a Chromium.")
    return path
