"""The description of a site that the doctor is to try: a right one, and in what it is broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from idlewatch.doctor.findings import Section, Trial

if TYPE_CHECKING:
    from tests.integration.doctor.sites import Running

PATH = "/app"
"""Where a site below a path lies."""

SOCKETS = frozenset(each for each in Trial if each.section is Section.SOCKET)
EVERYTHING_WITH_A_SESSION = SOCKETS | {each for each in Trial if each.section is Section.PAGE}
"""The trials with a session, for what breaks sessions themselves."""


class Base(StrEnum):
    """The right sites."""

    ALONE = "one process with the memory store"
    DEPLOYED = "nginx with TLS, one process with Redis"
    TWO = "nginx with TLS, two processes with Redis"
    BELOW = "nginx with TLS, one process with Redis, below a path"
    POLLING = "one process under WSGI, pages poll"


@dataclass(frozen=True, kw_only=True)
class Breakage:
    """What is wrong with a site, and what the doctor has to say of it."""

    name: str
    base: Base = Base.DEPLOYED
    on_postgres: bool = False
    """Whether it has a database server, as documented; otherwise it has SQLite, which takes less time."""
    settings: Callable[[dict[str, Any]], Mapping[str, Any]] = lambda _: {}
    """The settings that differ, made of the right ones; those of the doctor too."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """What the processes and the doctor find in their environment, in place of what they should."""
    second: Mapping[str, str] = field(default_factory=dict)
    """What the second process alone finds there."""
    doctor: Mapping[str, str] = field(default_factory=dict)
    """What the doctor alone finds there."""
    urls: str = "project.urls"
    application: str = "project.asgi:application"
    templates: Mapping[str, str] = field(default_factory=dict)
    nginx: Mapping[str, str] = field(default_factory=dict)
    """Texts of the documented configuration, and what stands there instead."""
    redis: Mapping[str, str] = field(default_factory=dict)
    """Options of Redis that differ from the documented ones."""
    web: Mapping[str, str] = field(default_factory=dict)
    """Texts of the command of a process, and what stands there instead."""
    once_running: Callable[[Running], None] = lambda _: None
    """Breaks the site when it runs."""
    options: tuple[str, ...] = ()
    """Of the doctor, beside those that it always gets."""

    faults: Mapping[Trial, str] = field(default_factory=dict)
    """The trials that have to name it as a fault, with words of what came or of the hint."""
    warnings: Mapping[Trial, str] = field(default_factory=dict)
    """As `faults`, for what works and is unwise."""
    consequences: frozenset[Trial] = frozenset()
    """The trials that may find a fault or a warning too: their part of the site is broken by it as well."""

    @property
    def slug(self) -> str:
        return "".join(letter if letter.isalnum() else "-" for letter in self.name.lower())
