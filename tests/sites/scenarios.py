"""What packages about sign-ins do to a session, step by step, in the site in `SITE`.

Run as `python -m tests.sites.scenarios NAME`, once the site is prepared. The journey shows that such sites work; here
are the ways that only their users go: proving who they are, acting as another user, and tests that set the time.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import django

RETURN, SESSIONS = "/idlewatch/signed-in/", "/idlewatch/sessions/"
AGAIN = f"/idlewatch/reauthenticate/?{urlencode({'next': RETURN})}"
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}


class Visitor:
    """A browser of the site's user."""

    def __init__(self) -> None:
        from django.test import Client

        self.client = Client(headers=NAVIGATION)

    def get(self, path: str) -> Any:
        return self.client.get(path)

    def post(self, path: str, **data: str) -> Any:
        return self.client.post(path, data)

    def record(self) -> Any:
        from idlewatch.models import WatchedSession

        return WatchedSession.objects.get(pk=self.client.session["_idlewatch"])

    def sign_in(self) -> None:
        """Sign in by the steps of the row."""
        from tests.sites.settings import ROW

        sign_in = ROW.sign_in
        if sign_in.link is not None:
            page = self.client.post(f"/accounts{sign_in.link}", follow=True)
            self.client.post(page.redirect_chain[-1][0], dict(sign_in.fields))
            return
        place = sign_in.path
        for fields in (sign_in.fields, *sign_in.then):
            response = self.client.post(place, dict(fields))
            # Some ask for the rest in the same place.
            place = response.headers.get("Location", place)

    def age(self) -> None:
        """Let the sign-in be more than five minutes ago, for what needs a fresh one."""
        session = self.client.session
        session["_idlewatch_signed_in"] -= 1000
        session.save()

    def end_others(self) -> Any:
        return self.post(SESSIONS, others="1")


def text_of(response: Any) -> str:
    return response.content.decode()


def prove(visitor: Visitor, prove_at: Callable[[str], Any]) -> None:
    """Prove who one is where the link leads, and see what that changes, and nothing else."""
    began = visitor.record().signed_in
    visitor.age()
    assert visitor.end_others().status_code == 200
    visitor.get(RETURN)
    assert visitor.record().signed_in == began, "the return page alone restarts the clocks"
    # Its page leads elsewhere, or is where one proves it.
    response = prove_at(visitor.get(AGAIN).headers.get("Location", AGAIN))
    assert (response.status_code, response.url) == (302, RETURN), text_of(response)
    visitor.get(RETURN)
    restarted = visitor.record().signed_in
    assert restarted > began
    visitor.get(RETURN)
    assert visitor.record().signed_in == restarted, "one proof restarts the clocks twice"
    assert visitor.end_others().status_code == 302


def allauth() -> None:
    visitor = Visitor()
    visitor.sign_in()
    from tests.sites.row import PASSWORD

    # Its login view turns signed-in users away.
    assert visitor.get(f"/accounts/login/?next={RETURN}").url == RETURN
    prove(visitor, lambda url: visitor.post(url, password=PASSWORD))


def allauth_mfa() -> None:
    from django.contrib.auth import get_user_model

    from tests.sites.rows.accounts import CODE

    visitor = Visitor()
    visitor.sign_in()
    user = get_user_model().objects.get()
    user.set_unusable_password()
    get_user_model().objects.filter(pk=user.pk).update(password=user.password)
    # The session's auth hash goes with the password.
    session = visitor.client.session
    session["_auth_user_hash"] = user.get_session_auth_hash()
    session.save()

    def by_code(url: str) -> Any:
        response = visitor.get(url)
        return visitor.post(response.url if response.status_code == 302 else url, code=CODE)

    prove(visitor, by_code)


def allauth_social() -> None:
    visitor = Visitor()
    visitor.sign_in()
    visitor.age()
    for page in (visitor.get(AGAIN), visitor.end_others()):
        assert page.status_code == 200
        assert "Sign out and in again" in text_of(page)
    response = visitor.post("/idlewatch/logout/", next=SESSIONS)
    assert response.url == f"/accounts/login/?next={SESSIONS}"
    visitor.sign_in()
    assert visitor.end_others().status_code == 302


def one_time_code() -> None:
    from tests.sites.row import PASSWORD
    from tests.sites.rows.accounts import TOKEN

    code = TOKEN["otp_token"]
    visitor = Visitor()
    visitor.sign_in()

    def by_both(url: str) -> Any:
        for given in ({"password": PASSWORD}, {"code": code}, {"password": PASSWORD, "code": "anything"}):
            response = visitor.post(url, **given)
            assert response.status_code == 200, given
            assert 'name="code"' in text_of(response)
        return visitor.post(url, password=PASSWORD, code=code)

    prove(visitor, by_both)


def let_time_pass(wait: Callable[[float], Any]) -> None:
    """Work for an hour, then leave for one; see requests and tabs go by the time that a package sets."""
    from idlewatch.models import WatchedSession

    visitor = Visitor()
    visitor.sign_in()
    session = visitor.record()
    for _ in range(6):
        wait(600)
        assert visitor.get("/").status_code == 200
    wait(3600)
    assert visitor.get("/").url == "/accounts/login/?next=/"
    assert WatchedSession.objects.get(pk=session.pk).reason == "idle"
    visitor.sign_in()
    asyncio.run(_watch_tab(visitor, wait))


async def _watch_tab(visitor: Visitor, wait: Callable[[float], Any]) -> None:
    from idlewatch.testing import TabCommunicator, atravel

    async with TabCommunicator(visitor.client) as tab:
        assert tab.state["phase"] == "active"
        for seconds, expected in ((800, ("warned", "idle")), (200, ("ended", "idle"))):
            wait(seconds)
            await atravel(0)
            frame = await tab.frame()
            assert (frame["phase"], frame["reason"]) == expected


def freezegun() -> None:
    from freezegun import freeze_time

    from idlewatch.testing import isolated

    with isolated(), freeze_time("2030-01-01 12:00") as frozen:
        let_time_pass(frozen.tick)


def time_machine() -> None:
    from time_machine import travel

    from idlewatch.testing import isolated

    with isolated(), travel("2030-01-01 12:00Z", tick=False) as traveller:
        let_time_pass(traveller.shift)


def impersonate(acquire: Callable[[Visitor], Any], release: Callable[[Visitor], Any]) -> None:
    """Act as the victim, and no longer: one session, no fresh sign-in, no one thrown out."""
    from django.contrib.auth import get_user_model
    from django.test import override_settings

    from idlewatch.models import WatchedSession
    from tests.sites.row import NAME
    from tests.sites.settings import IDLEWATCH

    with override_settings(IDLEWATCH=IDLEWATCH | {"MAX_SESSIONS_PER_USER": 1}):
        visitor, victim = Visitor(), Visitor()
        visitor.sign_in()
        victim.client.force_login(get_user_model().objects.get(username="victim"), MODEL_BACKEND)
        began = visitor.record()
        visitor.age()
        for change, names in ((acquire, ("victim", NAME)), (release, (NAME, "")), (acquire, ("victim", NAME))):
            response = change(visitor)
            assert response.status_code == 302, text_of(response)
            record = visitor.record()
            assert (record.pk, record.signed_in, record.ended) == (began.pk, began.signed_in, None)
            assert (record.username, record.impersonator_name) == names
            assert visitor.client.get("/api/").json()["user"] == str(record.user_id)
            assert victim.client.get("/api/").json()["user"] == "2"
            page = text_of(visitor.end_others() if names[1] == "" else visitor.get(SESSIONS))
            assert 'type="password"' in page or names[1] in page
        assert WatchedSession.objects.count() == 2
        visitor.post("/idlewatch/logout/")
        assert WatchedSession.objects.get(pk=began.pk).reason == "logout"


MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
SCENARIOS: dict[str, tuple[str, Callable[[], None]]] = {
    "allauth": ("django-allauth", allauth),
    "allauth-mfa": ("django-allauth with MFA", allauth_mfa),
    "allauth-social": ("django-allauth, a social account without a password", allauth_social),
    "otp": ("django-otp in the admin", one_time_code),
    "freezegun": ("django.contrib.auth.urls", freezegun),
    "time-machine": ("django.contrib.auth.urls", time_machine),
    "hijack": (
        "django-hijack, impersonating",
        lambda: impersonate(
            lambda visitor: visitor.post("/hijack/acquire/", user_pk="2", next="/"),
            lambda visitor: visitor.post("/hijack/release/", next="/"),
        ),
    ),
    "impersonate": (
        "django-impersonate",
        lambda: impersonate(
            lambda visitor: visitor.get("/impersonate/2/"), lambda visitor: visitor.get("/impersonate/stop/")
        ),
    ),
    "loginas": (
        "django-loginas",
        lambda: impersonate(
            lambda visitor: visitor.post("/admin/login/user/2/"), lambda visitor: visitor.post("/admin/logout/")
        ),
    ),
    "su": (
        "django-su",
        lambda: impersonate(lambda visitor: visitor.post("/su/2/"), lambda visitor: visitor.get("/su/")),
    ),
}
"""By name: the site, and what happens in it."""


if __name__ == "__main__":
    django.setup()
    from django.test.utils import setup_test_environment

    setup_test_environment()
    SCENARIOS[sys.argv[1]][1]()
