"""What the doctor tries, and what it finds."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Self

from msgspec import Struct

from idlewatch.conf.declaration import DOCUMENTATION

PAGE = f"{DOCUMENTATION}/doctor.md"
"""The page on which each trial has an entry."""


class Outcome(StrEnum):
    """How a trial came out."""

    OK = "ok"
    WARNING = "warning"
    """It works, but is unwise."""
    FAULT = "fault"
    SKIPPED = "skipped"
    """It was not tried: what came says why."""


class Section(StrEnum):
    """A part of the site, in the order in which the doctor looks at them."""

    PROCESS = "process"
    DATABASE = "database"
    STORE = "store"
    CHANNEL_LAYER = "channel layer"
    HTTP = "HTTP"
    PROXY = "proxy"
    PAGE = "page"
    SOCKET = "socket"
    BROWSER = "browser"


class Trial(StrEnum):
    """Something that the doctor tries; each has an entry in docs/doctor.md, whose anchor is its value."""

    section: Section

    def __new__(cls, value: str, section: Section) -> Self:
        """Make a member that knows its section."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.section = section
        return member

    VERSIONS = "versions", Section.PROCESS
    CHECKS = "system-checks", Section.PROCESS
    ANSWERING = "answering-processes", Section.PROCESS
    SAME_VERSIONS = "same-versions", Section.PROCESS
    SAME_SETTINGS = "same-settings", Section.PROCESS
    TIMER = "timer", Section.PROCESS
    PROCESS_CLOCK = "process-clock", Section.PROCESS

    DATABASE = "database", Section.DATABASE
    MIGRATIONS = "migrations", Section.DATABASE
    ROUTER_READS = "router-reads", Section.DATABASE
    RECORDS = "records", Section.DATABASE
    OVERDUE = "overdue-records", Section.DATABASE
    OLD_PROBES = "old-probes", Section.DATABASE
    CACHE = "cache", Section.DATABASE

    STORE = "store", Section.STORE
    STORE_OWNER = "store-owner", Section.STORE
    EPOCH = "epoch", Section.STORE
    LEASES = "leases", Section.STORE
    REDIS_VERSION = "redis-version", Section.STORE
    REDIS_EVICTION = "redis-eviction", Section.STORE
    REDIS_PERSISTENCE = "redis-persistence", Section.STORE
    REDIS_LATENCY = "redis-latency", Section.STORE
    REDIS_CLOCK = "redis-clock", Section.STORE

    LAYER = "channel-layer", Section.CHANNEL_LAYER
    LAYER_DELIVERY = "channel-layer-delivery", Section.CHANNEL_LAYER

    CHALLENGE = "challenge", Section.HTTP
    HEALTH = "healthz", Section.HTTP
    READINESS = "readyz", Section.HTTP
    SESSION_COOKIE = "session-cookie", Section.HTTP
    CSRF_COOKIE = "csrf-cookie", Section.HTTP
    SCRIPT = "static-script", Section.HTTP
    STYLESHEET = "static-stylesheet", Section.HTTP

    SCHEME = "forwarded-scheme", Section.PROXY
    HOST = "forwarded-host", Section.PROXY
    SUB_PATH = "sub-path", Section.PROXY
    CLIENT_ADDRESS = "client-address", Section.PROXY
    FORGED_ADDRESS = "forged-address", Section.PROXY
    HANDSHAKE = "handshake", Section.PROXY
    IDLE_SOCKET = "idle-socket", Section.PROXY

    VISITOR_PAGE = "visitor-page", Section.PAGE
    PROBE = "probe", Section.PAGE
    PAGE = "page", Section.PAGE
    CLIENT = "client", Section.PAGE
    PAGE_CACHE = "page-cache", Section.PAGE
    CACHE_HEADERS = "cache-headers", Section.PAGE
    PAGE_ADDRESSES = "page-addresses", Section.PAGE
    POLICY_SCRIPT = "policy-script", Section.PAGE
    POLICY_STYLE = "policy-style", Section.PAGE
    POLICY_SOCKET = "policy-socket", Section.PAGE
    POLICY_FORM = "policy-form", Section.PAGE
    ADMIN_PAGE = "admin-page", Section.PAGE
    LOGIN_VIEW = "login-view", Section.PAGE
    REAUTHENTICATION = "reauthentication", Section.PAGE
    ENDED_NAVIGATION = "ended-navigation", Section.PAGE
    NOTICE = "notice", Section.PAGE
    ENDED_FETCH = "ended-fetch", Section.PAGE
    ENDED_POST = "ended-post", Section.PAGE
    OLD_COOKIE = "old-cookie", Section.PAGE
    DELETED_COOKIE = "deleted-cookie", Section.PAGE

    FOREIGN_ORIGIN = "foreign-origin", Section.SOCKET
    ACCOUNT = "account", Section.SOCKET
    TAB = "tab", Section.SOCKET
    ACTIVITY = "activity", Section.SOCKET
    ACTIVITY_ELSEWHERE = "activity-elsewhere", Section.SOCKET
    FALLBACK = "fallback", Section.SOCKET
    WARNING = "warning", Section.SOCKET
    EXTENSION = "extension", Section.SOCKET
    END = "end", Section.SOCKET

    BROWSER = "browser", Section.BROWSER
    BROWSER_CLIENT = "browser-client", Section.BROWSER
    BROWSER_ERRORS = "browser-errors", Section.BROWSER
    BROWSER_WARNING = "browser-warning", Section.BROWSER
    BROWSER_EXTENSION = "browser-extension", Section.BROWSER
    BROWSER_END = "browser-end", Section.BROWSER
    BROWSER_LOGIN = "browser-login", Section.BROWSER

    @property
    def url(self) -> str:
        """The address of its entry in the documentation."""
        return f"{PAGE}#{self.value}"


class Finding(Struct, frozen=True, kw_only=True):
    """What was tried, what came, and what was expected. No text holds a session key, a cookie or a token."""

    trial: Trial
    outcome: Outcome
    tried: str
    """A phrase without a full stop, as `Handshake of a tab from the site's own origin`."""
    came: str
    expected: str
    hint: str = ""
    """What is likely wrong and what to do, in sentences; given with faults and warnings."""

    def __repr__(self) -> str:
        return f"<Finding {self.trial}: {self.outcome}>"


def ok(trial: Trial, tried: str, came: str, expected: str) -> Finding:
    """Return the finding that something is as expected."""
    return Finding(trial=trial, outcome=Outcome.OK, tried=tried, came=came, expected=expected)


def fault(trial: Trial, tried: str, came: str, expected: str, hint: str) -> Finding:
    """Return the finding that something is wrong."""
    return Finding(trial=trial, outcome=Outcome.FAULT, tried=tried, came=came, expected=expected, hint=hint)


def warning(trial: Trial, tried: str, came: str, expected: str, hint: str) -> Finding:
    """Return the finding that something works, but is unwise."""
    return Finding(trial=trial, outcome=Outcome.WARNING, tried=tried, came=came, expected=expected, hint=hint)


def skipped(trial: Trial, tried: str, why: str, expected: str) -> Finding:
    """Return the finding that something was not tried, and why."""
    return Finding(trial=trial, outcome=Outcome.SKIPPED, tried=tried, came=f"not tried: {why}", expected=expected)


class Flaw(NamedTuple):
    """What is wrong with something, and what to do about it."""

    came: str
    hint: str
    is_fatal: bool = True
    """Whether it is a fault, and not just unwise."""

    def __repr__(self) -> str:
        return f"<Flaw {'fault' if self.is_fatal else 'warning'}>"
