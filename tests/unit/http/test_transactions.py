"""Views inside a transaction, and views that fail after they changed the session."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import (
    alogin,
    aupdate_session_auth_hash,
    get_user_model,
    login,
    logout,
    update_session_auth_hash,
)
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection, connections, transaction
from django.http import HttpRequest
from msgspec.structs import replace

import idlewatch
from idlewatch.core.activity import Reason
from idlewatch.models import WatchedSession
from idlewatch.monitor import django_sessions, revalidation, stores
from idlewatch.monitor import service as monitor
from idlewatch.monitor.record_keys import expect_rotation, is_rotating
from idlewatch.store.values import Watched
from tests.conftest import START, Time
from tests.support import http_site
from tests.support.http import ENGINES, PASSWORD, Browser, record, records, tick, user_of

KEYED = [engine for engine in ENGINES if engine != "signed_cookies"]
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(params=[False, True], ids=["autocommit", "ATOMIC_REQUESTS"])
def atomic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> bool:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", request.param)
    return bool(request.param)


@pytest.fixture
def other(browser: Browser, ann: User) -> Browser:
    """Another request of the browser in which Ann signs in first."""
    browser.sign_in(ann)
    other = Browser(raise_request_exception=False)
    other.key = str(browser.key)
    return other


@pytest.fixture
def failing(ann: User, clock: Time) -> Browser:
    """A browser in which Ann is signed in, and whose views may fail."""
    browser = Browser(raise_request_exception=False)
    browser.sign_in(ann)
    clock.pass_(800)
    return browser


def elsewhere(ask: Callable[[], Any]) -> Any:
    """Ask another process, which sees what is committed and knows nothing of the requests here."""
    with mock.patch("idlewatch.http.follow_up.is_shared", return_value=False):
        return beside(ask)


def beside(ask: Callable[[], Any]) -> Any:
    """Ask this process in another thread."""

    def work() -> Any:
        try:
            return ask()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def change_password(request: HttpRequest) -> None:
    user = get_user_model().objects.get(pk=request.user.pk)
    user.set_password("new")
    user.save()
    update_session_auth_hash(request, user)


def fail(_: HttpRequest) -> None:
    raise RuntimeError


def refuse(_: HttpRequest) -> None:
    raise PermissionDenied


def roll_back(_: HttpRequest) -> None:
    """Refuse as Django REST framework does: with a response of its own."""
    transaction.set_rollback(True)


def sign_in_as(name: str) -> Callable[[HttpRequest], None]:
    return lambda request: login(request, get_user_model().objects.get(username=name), BACKEND)


def stored() -> Watched:
    """Return the only session as the store has it."""
    watched = stores.current().sessions.get(record().pk)
    assert watched is not None
    return watched


class TestNewKey:
    @pytest.mark.parametrize("engine", KEYED, indirect=True)
    def test_is_announced_before_the_old_one_goes_also_where_the_database_failed_at_the_commit(
        self, engine: str, atomic: bool, browser: Browser, other: Browser
    ):
        failures = [OperationalError, OperationalError] if atomic else []
        announced = mock.Mock(side_effect=[*failures, None, None, None])
        http_site.during.append(change_password)
        with mock.patch("idlewatch.monitor.record_keys.expect_rotation", announced):
            assert browser.submit("/meanwhile/").status_code == 200
        assert announced.call_count == (3 if atomic else 2)

    @pytest.mark.parametrize("engine", KEYED, indirect=True)
    def test_a_request_that_comes_before_the_view_has_returned_ends_nothing(
        self, engine: str, atomic: bool, browser: Browser, other: Browser, clock: Time
    ):
        answers: list[Any] = []
        old = other.key

        def ask(_: HttpRequest) -> None:
            clock.pass_(60)
            elsewhere(lambda: revalidation.examine([replace(stored(), unfinished=atomic)], clock.now))
            # SQLite lets one transaction of a view wait for the other; the state is shown without one.
            answers.append(elsewhere(lambda: other.poll("/idlewatch/state/" if atomic else "/api/")))

        http_site.during += [lambda request: request.session.cycle_key(), ask] if atomic else [change_password, ask]
        browser.submit("/meanwhile/")
        assert "Idlewatch-Ended" not in answers[0].headers
        assert other.key == old
        assert browser.key != old
        http_site.during.clear()
        assert user_of(other) == ""
        assert user_of(browser) == "ann"
        for _ in range(3):
            clock.pass_(60)
            tick(clock)
        assert records() == [("ann", "")]

    @pytest.mark.parametrize("atomic", [False], indirect=True)
    @pytest.mark.parametrize("engine", ENGINES, indirect=True)
    @pytest.mark.parametrize("is_kept", [False, True])
    def test_what_finds_the_new_password_before_the_session_has_it_ends_nothing(
        self, engine: str, atomic: bool, is_kept: bool, browser: Browser, other: Browser, clock: Time
    ):
        answers: list[Any] = []

        def change(request: HttpRequest) -> None:
            user = get_user_model().objects.get(pk=request.user.pk)
            user.set_password("new")
            user.save()
            if is_kept:
                elsewhere(lambda: revalidation.examine([replace(stored(), unfinished=True)], clock.now))
                answers.append(elsewhere(lambda: other.poll("/api/")))
                update_session_auth_hash(request, user)
                answers.append(elsewhere(lambda: other.poll("/api/")))

        http_site.during.append(change)
        browser.submit("/meanwhile/")
        http_site.during.clear()
        assert all("Idlewatch-Ended" not in answer.headers for answer in answers)
        assert not is_rotating(record())
        assert browser.poll("/api/").headers.get("Idlewatch-Ended") == (None if is_kept else "account")
        assert records() == [("ann", "" if is_kept else "account")]

    @pytest.mark.parametrize("atomic", [True], indirect=True)
    def test_a_request_beside_it_that_comes_between_the_commit_and_the_announcement_is_told_of_no_end(
        self, atomic: bool, browser: Browser, other: Browser
    ):
        answers: list[Any] = []

        def overtaken(watch_id: str) -> None:
            if not answers:
                answers.append(beside(lambda: other.poll("/api/")))
            expect_rotation(watch_id)

        http_site.during.append(change_password)
        with mock.patch("idlewatch.monitor.record_keys.expect_rotation", overtaken):
            browser.submit("/meanwhile/")
        assert "Idlewatch-Ended" not in answers[0].headers
        assert user_of(browser) == "ann"
        assert records() == [("ann", "")]

    @pytest.mark.parametrize("atomic", [False], indirect=True)
    @pytest.mark.parametrize("is_announced", [True, False])
    def test_a_request_elsewhere_that_finds_a_new_password_waits_a_moment_for_its_announcement(
        self, atomic: bool, browser: Browser, ann: User, is_announced: bool
    ):
        browser.sign_in(ann)
        ann.set_password("new")
        User.objects.filter(pk=ann.pk).update(password=ann.password)

        def wait(seconds: float) -> None:
            if is_announced:
                expect_rotation(record().pk)

        with mock.patch("idlewatch.http.follow_up.Event") as event:
            event.return_value.wait = wait
            answer = browser.poll("/api/")
        assert answer.headers.get("Idlewatch-Ended") == (None if is_announced else "account")
        assert records() == [("ann", "" if is_announced else "account")]

    @pytest.mark.parametrize("atomic", [False], indirect=True)
    @pytest.mark.parametrize("engine", ENGINES, indirect=True)
    @pytest.mark.parametrize("is_async", [False, True], ids=["WSGI", "ASGI"])
    def test_nor_does_what_finds_that_of_an_async_view(
        self, engine: str, atomic: bool, browser: Browser, other: Browser, *, is_async: bool
    ):
        answers: list[Any] = []

        def ask() -> None:
            answers.append(elsewhere(lambda: other.poll("/api/")))

        async def change(request: HttpRequest) -> None:
            user = request.user = await request.auser()
            user.set_password("new")
            await user.asave()
            await sync_to_async(ask, thread_sensitive=False)()
            await aupdate_session_auth_hash(request, user)
            await sync_to_async(ask, thread_sensitive=False)()

        changing = Browser(is_async=is_async)
        changing.key = str(browser.key)
        http_site.during.append(change)
        assert changing.submit("/ameanwhile/").status_code == 200
        http_site.during.clear()
        assert ["Idlewatch-Ended" in answer.headers for answer in answers] == [False, False]
        assert user_of(changing) == "ann"
        assert records() == [("ann", "")]

    @pytest.mark.parametrize("engine", ENGINES, indirect=True)
    def test_a_view_that_fails_leaves_the_session_under_the_old_one(
        self, engine: str, atomic: bool, failing: Browser, clock: Time
    ):
        old = failing.key
        http_site.during += [lambda request: request.session.cycle_key(), fail]
        assert failing.submit("/meanwhile/").status_code == 500
        goes_on(failing, old, clock)

    @pytest.mark.parametrize("atomic", [True], indirect=True)
    @pytest.mark.parametrize("engine", ENGINES, indirect=True)
    @pytest.mark.parametrize("undo", [refuse, roll_back])
    def test_so_does_one_that_is_rolled_back_without_an_error(
        self, engine: str, atomic: bool, failing: Browser, clock: Time, undo: Any
    ):
        old = failing.key
        http_site.during += [change_password, undo]
        failing.submit("/meanwhile/")
        assert failing.key == old or engine == "signed_cookies"
        goes_on(failing, failing.key, clock)


def goes_on(browser: Browser, key: str | None, clock: Time) -> None:
    """Assert that Ann's first session goes on with this key and the clocks that it had, and is the only one."""
    http_site.during.clear()
    assert browser.key == key
    kept = record()
    assert (kept.username, kept.ended, kept.signed_in.timestamp()) == ("ann", None, START)
    assert not is_rotating(kept)
    if kept.session_digest:
        assert kept.session_digest == django_sessions.digest(key)
        assert Session.objects.count() <= 1
    assert stored().activity.logged_in_at == START
    for _ in range(3):
        clock.pass_(30)
        tick(clock)
    assert user_of(browser) == "ann"
    assert records() == [("ann", "")]


class TestFailedSignIn:
    """The first session goes on as if the second sign-in had not been tried."""

    @pytest.mark.parametrize("engine", ENGINES, indirect=True)
    @pytest.mark.parametrize("name", ["ann", "bob"])
    def test_by_an_error(self, engine: str, atomic: bool, failing: Browser, bob: User, clock: Time, name: str):
        old = failing.key
        http_site.during += [sign_in_as(name), fail]
        assert failing.submit("/meanwhile/").status_code == 500
        goes_on(failing, old, clock)

    @pytest.mark.parametrize("atomic", [True], indirect=True)
    @pytest.mark.parametrize("engine", ENGINES, indirect=True)
    @pytest.mark.parametrize("name", ["ann", "bob"])
    @pytest.mark.parametrize("undo", [refuse, roll_back])
    def test_by_a_second_factor_for_which_the_view_rolls_back(
        self, engine: str, atomic: bool, failing: Browser, bob: User, clock: Time, name: str, undo: Any
    ):
        http_site.during += [sign_in_as(name), undo]
        failing.submit("/meanwhile/")
        goes_on(failing, failing.key, clock)

    def test_in_a_block_of_its_own(self, atomic: bool, failing: Browser, ann: User, clock: Time):
        old = failing.key
        response = failing.submit("/failing-login/", {"username": "ann", "password": PASSWORD, "rollback": "1"})
        assert response.status_code == 200
        goes_on(failing, old, clock)

    @pytest.mark.parametrize("engine", ENGINES, indirect=True)
    @pytest.mark.parametrize("name", ["ann", "bob"])
    @pytest.mark.parametrize("is_async", [False, True], ids=["WSGI", "ASGI"])
    def test_in_an_async_view(
        self, engine: str, failing: Browser, bob: User, clock: Time, name: str, *, is_async: bool
    ):
        async def asign_in(request: HttpRequest) -> None:
            await alogin(request, await get_user_model().objects.aget(username=name), BACKEND)

        browser = Browser(is_async=is_async, raise_request_exception=False)
        browser.key = str(failing.key)
        http_site.during += [asign_in, fail]
        assert browser.submit("/ameanwhile/").status_code == 500
        goes_on(browser, failing.key, clock)

    @pytest.mark.parametrize("engine", KEYED, indirect=True)
    def test_whose_restart_the_database_does_not_record(self, engine: str, failing: Browser, clock: Time):
        http_site.during.append(sign_in_as("ann"))
        with mock.patch("idlewatch.monitor.records.restart", side_effect=OperationalError):
            assert failing.submit("/meanwhile/").status_code == 500
        http_site.during.clear()
        assert user_of(failing) == "ann"
        assert records() == [("ann", "")]

    @pytest.mark.parametrize("engine", ENGINES, indirect=True)
    @pytest.mark.parametrize("name", ["ann", "bob"])
    def test_in_an_async_view_whose_client_goes_away(
        self, engine: str, failing: Browser, bob: User, clock: Time, name: str
    ):
        async def asign_in(request: HttpRequest) -> None:
            await alogin(request, await get_user_model().objects.aget(username=name), BACKEND)

        cancelled(failing, asign_in)
        goes_on(failing, failing.key, clock)

    def test_the_session_goes_on_where_only_a_later_block_was_rolled_back(
        self, atomic: bool, failing: Browser, clock: Time
    ):
        def try_more(_: HttpRequest) -> None:
            with transaction.atomic():
                transaction.set_rollback(True)

        old = failing.key
        http_site.during += [sign_in_as("ann"), try_more]
        failing.submit("/meanwhile/")
        assert failing.key != old
        assert stored().activity.logged_in_at == record().signed_in.timestamp() == clock.now
        assert user_of(failing) == "ann"

    def test_one_after_a_sign_out_leaves_none(self, atomic: bool, failing: Browser, ann: User, bob: User, clock: Time):
        http_site.during += [logout, sign_in_as("bob"), fail]
        failing.submit("/meanwhile/")
        http_site.during.clear()
        assert user_of(failing) == ""
        assert ("ann", "logout") in records()
        assert not WatchedSession.objects.live().exists()
        assert not Session.objects.exists()


def over_asgi(signed_in: Browser) -> Browser:
    """Return the same browser, as its requests go through ASGI."""
    browser = Browser(is_async=True)
    if signed_in.key is not None:
        browser.key = signed_in.key
    return browser


def cancelled(signed_in: Browser, work: Callable[[HttpRequest], Any]) -> None:
    """Ask for a view that does some work, and is cancelled then, as Django does where the client has gone."""

    async def cancel(_: HttpRequest) -> None:
        raise CancelledError

    http_site.during += [work, cancel]
    with pytest.raises((CancelledError, futures.CancelledError)):
        over_asgi(signed_in).submit("/ameanwhile/")
    http_site.during.clear()


def gone_before(signed_in: Browser, work: Callable[[HttpRequest], Any]) -> None:
    """Ask for a sync view that does some work when its client has gone: its thread runs on."""
    began, gone, done = Event(), Event(), Event()

    def wait(_: HttpRequest) -> None:
        began.set()
        assert gone.wait(10)

    async def ask_and_go() -> None:
        asking = asyncio.create_task(over_asgi(signed_in).client.post("/meanwhile/"))
        assert await asyncio.to_thread(began.wait, 10)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        gone.set()
        assert await asyncio.to_thread(done.wait, 10)

    http_site.during += [wait, work, lambda _: done.set()]
    asyncio.run(ask_and_go())
    http_site.during.clear()


class TestClientThatGoesAway:
    @pytest.mark.parametrize("engine", KEYED, indirect=True)
    def test_a_session_into_which_a_sync_view_signs_its_user_again_goes_on(
        self, engine: str, failing: Browser, clock: Time
    ):
        gone_before(failing, sign_in_as("ann"))
        goes_on(failing, failing.key, clock)

    def test_a_visitor_whom_a_sync_view_signs_in_gets_no_session(self, ann: User):
        gone_before(Browser(), sign_in_as("ann"))
        assert records() == []

    @pytest.mark.parametrize("engine", KEYED, indirect=True)
    def test_a_session_that_the_view_flushed_is_lost(self, engine: str, failing: Browser):
        async def aflush(request: HttpRequest) -> None:
            await request.session.aflush()

        cancelled(failing, aflush)
        assert user_of(failing) == ""
        assert records() == [("ann", "lost")]

    def test_a_sign_in_that_no_browser_hears_of_leaves_no_session(self, ann: User, browser: Browser):
        async def asign_in(request: HttpRequest) -> None:
            await alogin(request, ann, BACKEND)

        cancelled(browser, asign_in)
        assert records() == [("ann", "lost")]
        assert not Session.objects.exists()


def act_as_bob(request: HttpRequest) -> None:
    """Sign the operator in as Bob, and render a page."""
    sign_in_as("bob")(request)
    idlewatch.mark_impersonation(request)
    http_site.page(request)


def test_a_request_that_comes_before_an_operator_sees_the_page_gives_the_session_to_no_one(
    browser: Browser, other: Browser, bob: User, clock: Time
):
    http_site.during += [act_as_bob, lambda _: elsewhere(lambda: other.poll("/api/"))]
    browser.submit("/meanwhile/")
    http_site.during.clear()
    assert stored().user == str(bob.pk)
    assert (user_of(browser), records()) == ("bob", [("bob", "")])


@pytest.mark.parametrize("atomic", [True], indirect=True)
class TestCommit:
    def test_a_sign_in_is_known_to_no_store_before_it(
        self, atomic: bool, browser: Browser, ann: User, clock: Time, signals: list[tuple[str, Any]]
    ):
        seen = []
        http_site.during += [sign_in_as("ann"), lambda _: seen.append(stores.current().sessions.get(record().pk))]
        browser.submit("/meanwhile/")
        assert seen == [None]
        assert stored().activity.logged_in_at == clock.now
        assert signals == [("opened", record().pk)]

    def test_a_sign_in_that_is_rolled_back_leaves_no_user_behind(self, atomic: bool, browser: Browser, ann: User):
        http_site.during += [sign_in_as("ann"), roll_back]
        browser.submit("/meanwhile/")
        http_site.during.clear()
        assert (user_of(browser), records()) == ("", [])

    @pytest.mark.parametrize("mistake", [None, fail, roll_back])
    def test_a_sign_out_ends_the_session_after_it_whatever_becomes_of_it(
        self, atomic: bool, failing: Browser, clock: Time, signals: list[tuple[str, Any]], mistake: Any
    ):
        live = []
        http_site.during += [logout, lambda _: live.append(not monitor.has_ended(record().pk, clock.now))]
        http_site.during += [mistake] if mistake else []
        signals.clear()
        failing.submit("/meanwhile/")
        http_site.during.clear()
        assert live == [True]
        assert (failing.key, user_of(failing), records()) == (None, "", [("ann", "logout")])
        tick(clock)
        assert (stored().activity.reason, signals) == (Reason.LOGOUT, [("ended", Reason.LOGOUT)])

    @pytest.mark.parametrize("is_undone", [False, True])
    def test_what_an_operator_ends_ends_with_it_or_not_at_all(
        self, atomic: bool, failing: Browser, bob: User, clock: Time, is_undone: bool
    ):
        watch_id = record().pk
        with transaction.atomic():
            ended = monitor.end(watch_id, Reason.REVOKED, clock.now, by=bob)
            transaction.set_rollback(is_undone)
        assert ended.activity.reason is Reason.REVOKED
        assert (user_of(failing), record().reason) == (("ann", "") if is_undone else ("", "revoked"))
        assert record().ended_by == (None if is_undone else bob)

    @pytest.mark.parametrize("undo", [None, fail])
    def test_an_operator_who_acts_as_a_user_in_a_page_of_the_view_does_so_after_it(
        self, atomic: bool, failing: Browser, ann: User, bob: User, clock: Time, undo: Any
    ):
        users = []
        http_site.during += [act_as_bob, lambda _: users.append(stored().user), *([undo] if undo else [])]
        failing.submit("/meanwhile/")
        http_site.during.clear()
        assert users == [str(ann.pk)]
        name = "ann" if undo else "bob"
        assert (user_of(failing), records()) == (name, [(name, "")])
        assert stored().user == str(get_user_model().objects.get(username=name).pk)
