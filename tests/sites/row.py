"""The description of a site."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NAME, PASSWORD, EMAIL = "visitor", "a-pass-phrase", "visitor@example.com"
"""The account that each site has."""

Command = tuple[str, ...]
"""A module for `python -m` with its arguments; `{port}` stands for the port."""

ASGI, WSGI = "tests.sites.asgi:application", "tests.sites.wsgi:application"
DAPHNE: Command = ("daphne", "-b", "127.0.0.1", "-p", "{port}", ASGI)


@dataclass(frozen=True)
class SignIn:
    """The form by which visitors sign in."""

    path: str = "/accounts/login/"
    fields: Mapping[str, str] = field(default_factory=lambda: {"username": NAME, "password": PASSWORD})
    link: str | None = None
    """A part of the address of the link there that leads to the form, for a sign-in elsewhere."""
    then: tuple[Mapping[str, str], ...] = ()
    """Further forms to fill in, one on each page that follows."""
    host: str | None = None
    """The host of the form, where it is another than the site's; what ended a session is said on the page after it."""


@dataclass(frozen=True)
class Row:
    """A site, and in what it differs from the plain project."""

    name: str
    packages: tuple[str, ...] = ()
    """The distributions that it needs beyond requirements-dev.txt."""
    shows: tuple[str, ...] = ()
    """Other distributions whose versions the table shows."""
    apps: tuple[str, ...] = ()
    """Apps after those of the plain project."""
    first_apps: tuple[str, ...] = ()
    """Apps before `idlewatch`."""
    middleware: tuple[str, ...] = ()
    """Middleware after that of the plain project."""
    settings: Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any]] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    """The site's own templates, before all others."""
    urls: Callable[[], list[Any]] | None = None
    """The site's addresses in place of the page and the sign-in; the admin and those of idlewatch are added."""
    asgi: Callable[[Any], Any] | None = None
    """Makes the site's ASGI application of Django's; by default that is `watched`."""
    prepare: str | None = None
    """The dotted path of a function that fills the new database."""

    page: str = "/"
    """The page that the visitor wants: it needs a sign-in, and carries the client."""
    public: bool = False
    """Visitors may see the page too, without the client, and go to the sign-in from there."""
    api: str = "/api/"
    """What scripts of the page ask for."""
    sign_in: SignIn = field(default_factory=SignIn)
    said: Mapping[str, str] = field(
        default_factory=lambda: {"idle": "because of inactivity", "closed": "because the browser was closed"}
    )
    """What the sign-in page says after an end."""
    link: str | None = None
    """The selector of a link in the page that a library of scripts follows, instead of the browser."""
    polls_itself: bool = False
    """The page polls by a library of its own."""
    from_cache: bool = False
    """The browser keeps the page, and shows it without a request: its client finds out what the server knows."""

    server: Command = DAPHNE
    sockets: Command | None = None
    """Another server for the sockets alone; nginx stands before both."""
    prefix: str = ""
    """The path below which nginx serves the site."""
    neighbour: str = ""
    """The path of another such site on the same host, with users of its own."""
    redis: bool = False
    """Whether the sessions are kept in Redis, as several processes need it."""
    database: str = "sqlite"
    environ: Mapping[str, str] = field(default_factory=dict)
    wire: bool = True
    """Whether bare requests and sockets make the journey, beside the browser."""
    browser: bool = True
    polls: bool = False
    """The browser's network lets no socket through, or the server has none: its pages poll."""
    outages: bool = False
    """Whether the server is also stopped, and the network lost."""
    closes: bool = True
    """Whether the server tells a closed browser from a lost network."""
    stops: bool = True
    """Whether the server stops while a socket is open."""
    rarely: bool = False
    """Left to `make sites`: another row of `make test` is much like it."""
    complaints: tuple[str, ...] = ()
    """What the checks say of the site, although it works."""
    refused: str | None = None
    """The id of the check that refuses the site: it is not served."""

    @property
    def slug(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    def changed(self, plain: dict[str, Any]) -> Mapping[str, Any]:
        return self.settings(plain) if callable(self.settings) else self.settings

    def outside(self, path: str) -> str:
        """Return a path as browsers see it."""
        return f"{self.prefix}{path}"


def without(names: Sequence[str], *unwanted: str) -> list[str]:
    """Return names without some of them."""
    return [name for name in names if name not in unwanted]


def after(names: Sequence[str], place: str, *more: str) -> list[str]:
    """Return names with more of them after one."""
    index = list(names).index(place) + 1
    return [*names[:index], *more, *names[index:]]
