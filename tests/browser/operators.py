"""Operators and those they watch: people who sign in, and sites with as many sessions as a test asks for.

`python -m tests.browser.operators 10000` puts that many sessions on record; a process that starts later resumes them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.support.browsing import sign_in, until
from tests.support.serving import Server, demo

LIVE = "/admin/idlewatch/live/"
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML) Version/18.1 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML) Version/18.1 Safari/605.1.15",
)
GRACE = "CLOSE_GRACE:1"
"""Seconds, as a cookie says it, that a session lasts when its browser is closed: the next test is to find none."""
SOON = 4_000
"""Milliseconds in which the page shows a change: it is promised within a second, and the machine has other work."""
RELAXED = "IDLE_TIMEOUT:600|WARN_BEFORE:20"
PEOPLE = 500
"""Users that sessions are spread over; each is called `user0042` or the like."""


@contextmanager
def site(directory: Path, sessions: int = 0) -> Iterator[Server]:
    """Serve a site with so many sessions, on which each later one has the limits that its cookie asks for."""
    with demo(directory, DJANGO_SETTINGS_MODULE="tests.browser.settings") as server:
        add_users(server, "ada", "grace")
        if sessions:
            server.stop()
            command = [server.python, "-m", "tests.browser.operators", str(sessions)]
            subprocess.run(command, cwd=server.cwd, env=server.environ, check=True)
            server.start()
        yield server


def add_users(server: Server, *names: str) -> None:
    """Add users who may change their password in the admin; each has their name for it."""
    missing = f"set({names}) - set(User.objects.values_list('username', flat=True))"
    add = f"[User.objects.create_user(name, password=name, is_staff=True) for name in {missing}]"
    server.manage("shell", "-c", f"from django.contrib.auth.models import User; {add}")


def enter(browser: Browser, server: Server, name: str = "demo", limits: str = "", path: str = "/") -> Page:
    """Sign a user in, in a browser of their own; `limits` as in `IDLE_TIMEOUT:5|WARN_BEFORE:2`."""
    context = browser.new_context()
    page = limited(context, server, limits)
    sign_in(page, server.url(path), name)
    until(page, "window.idlewatch?.state")
    return page


def watch(browser: Browser, server: Server, name: str = "admin", query: str = "", **options: object) -> Page:
    """Have an operator look at the live page."""
    context = browser.new_context(**options)
    return look(context, server, name, query)


def look(context: BrowserContext, server: Server, name: str = "admin", query: str = "") -> Page:
    """Open the live page in this browser, signing in first."""
    page = limited(context, server)
    sign_in(page, server.url("/accounts/login/?next=/healthz"), name)
    page.goto(server.url(LIVE + query))
    expect(page.locator("[data-idlewatch-part=table]")).to_have_attribute("aria-busy", "false", timeout=15_000)
    return page


def limited(context: BrowserContext, server: Server, limits: str = "") -> Page:
    """Open a tab whose session is to have these limits."""
    value = "|".join(filter(None, (GRACE, limits)))
    context.add_cookies([{"name": "limits", "value": value, "url": server.origin}])
    return context.new_page()


def rows(page: Page) -> Locator:
    return page.locator("[data-idlewatch-part=rows] tr")


def row(page: Page, user: str) -> Locator:
    """The rows of a user."""
    return rows(page).filter(has=page.locator("[data-cell=user]", has_text=re.compile(rf"^{re.escape(user)}$")))


def cell(page: Page, user: str, name: str) -> Locator:
    return row(page, user).first.locator(f"[data-cell={name}]")


def users(page: Page) -> list[str]:
    """Return the names on the page, in the order of the rows."""
    return rows(page).locator("[data-cell=user]").all_text_contents()


def focus_elsewhere(page: Page) -> None:
    page.mouse.move(5, 5)
    page.evaluate("document.activeElement.blur()")


def act(page: Page, action: str) -> Locator:
    """Press a button of the actions' bar; return the dialog that opens."""
    page.locator(f"[data-action={action}]").click()
    dialog = page.locator(".live-dialog")
    expect(dialog).to_be_visible()
    return dialog


def confirm(page: Page) -> str:
    """Do what the dialog asks; return what it says was done, the dialog closed."""
    dialog = page.locator(".live-dialog")
    dialog.locator("[data-idlewatch-part=do]:visible").click()
    expect(dialog.locator("[data-idlewatch-part=close]")).to_be_visible(timeout=60_000)
    said = dialog.locator("[data-idlewatch-part=said]").inner_text()
    dialog.locator("[data-idlewatch-part=close]").click()
    expect(dialog).to_be_hidden()
    return said


def record(count: int) -> None:
    """Put sessions on record that began in the last hours, and are to last for some more."""
    from django.contrib.auth.models import User
    from msgspec import to_builtins

    from idlewatch.core.activity import Activity
    from idlewatch.core.clock import Clock, as_datetime
    from idlewatch.core.policy import Policy
    from idlewatch.models import WatchedSession
    from idlewatch.monitor import checkpoints, django_sessions
    from idlewatch.store.values import Watched

    policy = Policy(
        idle_timeout=28_800,
        warn_before=120,
        absolute_timeout=None,
        close_grace=None,
        hold_limit=7200,
        heartbeat=15,
        checkpoint=60,
    )
    names = [f"user{number:04}" for number in range(min(PEOPLE, count))]
    User.objects.bulk_create(User(username=name) for name in names)
    people = list(User.objects.filter(username__in=names).order_by("username"))
    now = Clock().now()
    made = []
    for number in range(count):
        user = people[number % len(people)]
        at = now - 60 - number * 0.4
        watched = Watched(
            id=f"session{number:05}", user=str(user.pk), policy=policy, activity=Activity(logged_in_at=at, active=at)
        )
        moment = as_datetime(at)
        made.append(
            WatchedSession(
                id=watched.id,
                user=user,
                username=user.username,
                address=f"10.0.{number // 250}.{number % 250 + 1}",
                user_agent=AGENTS[number % len(AGENTS)],
                auth_digest=django_sessions.auth_digest(user.get_session_auth_hash()),
                started=moment,
                signed_in=moment,
                limits=to_builtins(policy),
                **checkpoints.progress_of(watched, at),
            )
        )
    WatchedSession.objects.bulk_create(made, batch_size=500)


if __name__ == "__main__":
    import django

    django.setup()
    record(int(sys.argv[1]))
