from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.core.events import Acted, Event, Extended, PageShown, TabClosed, TabOpened
from idlewatch.models import WatchedSession
from idlewatch.monitor import accounts, checkpoints, django_sessions, record_keys, records, revalidation, stores
from idlewatch.store.values import Watched
from tests.conftest import START, Time
from tests.support.sockets import errors
from tests.support.watches import keep, known, sign_in_many

pytestmark = pytest.mark.django_db

NOW = START + 30


def examine(*watches: Watched, suspects: Any = ()) -> set[str]:
    """Look at these watches as the store knows them by now."""
    claimed = [replace(known(watched.id), unfinished=watched.id in suspects) for watched in watches]
    return revalidation.examine(claimed, NOW)


def reason(watched: Watched) -> Reason | None:
    return known(watched.id).activity.reason


class TestWhatStands:
    def test_is_left_alone_and_checkpointed(self):
        (watched,) = sign_in_many(1)
        stores.current().sessions.apply(watched.id, Acted(), START + 20)
        stores.current().sessions.apply(watched.id, Extended(), START + 25)
        assert examine(watched) == set()
        assert reason(watched) is None
        record = WatchedSession.objects.get()
        assert (record.last_active, record.extensions) == (as_datetime(START + 25), 1)

    @pytest.mark.parametrize("is_over", [False, True])
    def test_what_a_request_is_giving_another_key_or_password_is_waited_for(
        self, monkeypatch: pytest.MonkeyPatch, is_over: bool
    ):
        lost, changed = watches = sign_in_many(2)
        for watched in watches:
            record_keys.expect_rotation(watched.id)
        Session.objects.filter(session_key=lost.key).delete()
        WatchedSession.objects.filter(pk=changed.id).update(auth_digest="of the password before")
        if is_over:
            monkeypatch.setattr(revalidation, "ROTATION_TIMEOUT", NOW - START)
        assert examine(*watches, suspects={lost.id, changed.id}) == (set() if is_over else {lost.id, changed.id})
        assert [reason(lost), reason(changed)] == ([Reason.LOST, Reason.ACCOUNT] if is_over else [None, None])

    def test_what_a_request_changed_while_the_checkpoint_waited_for_its_transaction_ends_nothing(self):
        """The password is committed just before it is announced, and the old key is deleted after that."""
        rotated, changed = watches = sign_in_many(2)

        def wait(*_: object) -> None:
            User.objects.filter(pk=changed.user).update(password="new")
            record_keys.rebind(rotated.id, "new-session-key", WatchedSession.objects.get(pk=rotated.id).auth_digest)
            Session.objects.filter(session_key=rotated.key).delete()

        with mock.patch("idlewatch.monitor.checkpoints.checkpoint", wait):
            assert examine(*watches, suspects={rotated.id, changed.id}) == set()
        assert [reason(rotated), reason(changed)] == [None, None]

    def test_a_session_without_a_key_is_judged_by_the_account_alone(self, settings: Any):
        """Signed cookies keep nothing on the server that could be gone."""
        settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
        (watched,) = sign_in_many(1)
        stores.current().sessions.bind(watched.id, "")
        assert examine(watched) == set()
        User.objects.update(is_active=False)
        examine(watched)
        assert reason(watched) is Reason.ACCOUNT

    def test_of_those_whose_users_are_active_each_that_is_not_in_order_is_found(self):
        closed, gone, ahead, sound = sign_in_many(4)
        (disabled,) = sign_in_many(1, name="bob")
        watches = [closed, gone, ahead, sound, disabled]
        # The passwords are known from now on, and a few columns are enough.
        examine(*watches)
        for watched in watches:
            stores.current().sessions.apply(watched.id, Acted(), START + 20)
        WatchedSession.objects.filter(pk=closed.id).update(ended=as_datetime(NOW), reason=Reason.REVOKED.value)
        User.objects.filter(pk=disabled.user).update(is_active=False)
        Session.objects.filter(session_key=gone.key).delete()
        checkpoints.advance(replace(ahead, activity=replace(ahead.activity, active=START + 25)), START + 25)
        assert examine(*watches) == {gone.id}
        assert [reason(watched) for watched in watches] == [Reason.REVOKED, None, None, None, Reason.ACCOUNT]
        assert known(ahead.id).activity.active == START + 25
        assert WatchedSession.objects.get(pk=sound.id).last_active == as_datetime(START + 20)
        assert stores.current().queue.written([sound]) == [sound]

    def test_what_a_record_knows_better_the_store_is_told(self):
        (watched,) = sign_in_many(1)
        # Another process, which the store could not hear, wrote it.
        checkpoints.advance(replace(watched, activity=replace(watched.activity, active=START + 20)), START + 20)
        assert examine(watched) == set()
        assert known(watched.id).activity.active == START + 20

    @pytest.mark.parametrize(
        ("passed", "lines"), [(revalidation.CONNECT_TIMEOUT - 1, 0), (revalidation.CONNECT_TIMEOUT, 1)]
    )
    def test_a_page_whose_client_does_not_connect_is_logged_once(
        self, caplog: pytest.LogCaptureFixture, passed: float, lines: int
    ):
        (watched,) = sign_in_many(1)
        stores.current().sessions.apply(watched.id, PageShown(has_client=True), NOW - passed)
        for _ in range(2):
            examine(watched)
        silent = [record for record in caplog.records if getattr(record, "event", "") == "page_silent"]
        assert [(record.levelname, record.watch_id) for record in silent] == [("WARNING", watched.id)] * lines

    def test_that_of_a_probe_is_not_though_it_is_loaded_without_a_browser(self, caplog: pytest.LogCaptureFixture):
        (probe,) = sign_in_many(1, prefix="probe:")
        stores.current().sessions.apply(probe.id, PageShown(has_client=True), NOW - revalidation.CONNECT_TIMEOUT)
        examine(probe)
        assert [record for record in caplog.records if getattr(record, "event", "") == "page_silent"] == []

    @pytest.mark.parametrize("engine", ["cache", "cached_db", "file"], indirect=True)
    def test_every_engine_is_asked(self, engine: str):
        here, gone = sign_in_many(2)
        django_sessions.delete([gone.key or ""])
        assert examine(here, gone) == {gone.id}
        assert examine(here, gone, suspects={gone.id}) == set()
        assert (reason(here), reason(gone)) == (None, Reason.LOST)

    def test_a_password_that_is_hashed_under_an_older_secret_key_is_good(self, settings: Any):
        (watched,) = sign_in_many(1)
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "the next one"
        assert examine(watched) == set()
        assert reason(watched) is None


class TestWhatStandsNoMore:
    @pytest.mark.rule("R12")
    @pytest.mark.parametrize("how", ["disabled", "deleted"])
    def test_an_account_that_is_gone_ends_at_first_sight(self, how: str):
        (watched,) = sign_in_many(1)
        if how == "disabled":
            User.objects.update(is_active=False)
        else:
            WatchedSession.objects.update(user=None)
            User.objects.all()._raw_delete("default")
        assert examine(watched) == set()
        assert reason(watched) is Reason.ACCOUNT
        assert WatchedSession.objects.get().reason == "account"

    @pytest.mark.rule("R25")
    @pytest.mark.parametrize("flaw", [Reason.ACCOUNT, Reason.LOST], ids=["another password", "no row"])
    def test_what_a_request_may_be_changing_ends_at_the_second_look(self, flaw: Reason):
        """At the first, that request may be under way: it notes the new hash, or key, when it is done."""
        (watched,) = sign_in_many(1)
        if flaw is Reason.ACCOUNT:
            User.objects.update(password="another")
        else:
            Session.objects.all().delete()
        assert examine(watched) == {watched.id}
        assert reason(watched) is None
        assert examine(watched, suspects={watched.id}) == set()
        assert reason(watched) is flaw

    def test_a_suspect_that_was_given_a_new_key_is_one_no_more(self):
        (watched,) = sign_in_many(1)
        Session.objects.update(session_key="rotated")
        assert examine(watched) == {watched.id}
        stores.current().sessions.bind(watched.id, "rotated")
        assert examine(watched, suspects={watched.id}) == set()
        assert reason(watched) is None

    @pytest.mark.parametrize(("took", "found"), [(1.0, Reason.LOST), (5.0, None)])
    def test_but_not_at_one_that_a_lock_delayed_by_facts_that_were_read_before(
        self, took: float, found: Reason | None, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        (watched,) = sign_in_many(1)
        django_sessions.delete([watched.key or ""])
        clock.now = NOW
        write = checkpoints.write

        def wait(*args: Any, **kwargs: Any) -> Collection[str]:
            clock.pass_(took)
            return write(*args, **kwargs)

        monkeypatch.setattr(checkpoints, "write", wait)
        examine(watched, suspects={watched.id})
        assert reason(watched) is found

    def test_a_watch_without_a_record_is_lost_at_the_second_look(self):
        """At the first, a sign-in may not be committed yet, or its record on the way to a database that took over."""
        watched = keep("w1")
        assert examine(watched) == {watched.id}
        assert reason(watched) is None
        assert examine(watched, suspects={watched.id}) == set()
        assert reason(watched) is Reason.LOST

    def test_so_is_an_account_that_was_not_found(self, monkeypatch: pytest.MonkeyPatch):
        (watched,) = sign_in_many(1)
        with monkeypatch.context() as patch:
            patch.setattr(accounts, "by_primary_key", lambda _: {})
            assert examine(watched) == {watched.id}
        assert examine(watched, suspects={watched.id}) == set()
        assert reason(watched) is None

    def test_one_flaw_ends_no_other_session(self):
        first, second, third = sign_in_many(3)
        (other,) = sign_in_many(1, name="eve")
        Session.objects.filter(pk=second.key).delete()
        User.objects.filter(username="eve").update(is_active=False)
        assert examine(first, second, third, other, suspects={second.id}) == set()
        ends = [reason(each) for each in (first, second, third, other)]
        assert ends == [None, Reason.LOST, None, Reason.ACCOUNT]


class TestOneAtRest:
    """A session to which nothing has happened since it was examined."""

    @pytest.fixture
    def watched(self) -> Watched:
        (watched,) = sign_in_many(1)
        assert examine(watched) == set()
        return watched

    def test_its_progress_is_not_read_again(self, watched: Watched):
        with mock.patch("idlewatch.monitor.revalidation.read_rows") as read_rows:
            assert examine(watched) == set()
        read_rows.assert_not_called()
        assert reason(watched) is None

    def test_it_is_not_at_rest_after_activity(self, watched: Watched):
        stores.current().sessions.apply(watched.id, Acted(), START + 20)
        assert examine(watched) == set()
        assert WatchedSession.objects.get().last_active == as_datetime(START + 20)

    @pytest.mark.parametrize("event", [TabOpened("p2", 50), TabClosed("p1", closed=False)])
    def test_nothing_is_written_after_a_tab_came_back_or_was_lost(self, event: Event):
        """As when all tabs come back after a restart."""
        (watched,) = sign_in_many(1)
        stores.current().sessions.apply(watched.id, TabOpened("p1", 50), START + 1)
        examine(watched)
        stores.current().sessions.apply(watched.id, event, START + 20)
        with mock.patch("idlewatch.monitor.checkpoints.execute") as execute:
            assert examine(watched) == set()
        execute.assert_not_called()

    @pytest.mark.parametrize("change", [{"is_active": False}, {"password": "another"}])
    def test_it_ends_with_its_account(self, watched: Watched, change: dict[str, Any]):
        User.objects.update(**change)
        examine(watched)
        examine(watched, suspects={watched.id})
        assert reason(watched) is Reason.ACCOUNT

    @pytest.mark.parametrize("missing", [Session, WatchedSession])
    def test_it_is_lost_with_its_session_or_record(self, watched: Watched, missing: Any):
        missing.objects.all().delete()
        assert examine(watched) == {watched.id}
        assert examine(watched, suspects={watched.id}) == set()
        assert reason(watched) is Reason.LOST

    def test_it_ends_as_its_record_did(self, watched: Watched):
        records.close(watched.id, Reason.REVOKED, START + 10)
        assert examine(watched) == set()
        assert reason(watched) is Reason.REVOKED


class TestTakingOver:
    def test_a_record_that_was_closed_elsewhere_ends_the_watch_and_is_not_moved(self):
        (watched,) = sign_in_many(1)
        records.close(watched.id, Reason.REVOKED, START + 10)
        stores.current().sessions.apply(watched.id, Acted(), START + 20)
        assert examine(watched) == set()
        assert reason(watched) is Reason.REVOKED
        assert known(watched.id).activity.ended == START + 10
        assert WatchedSession.objects.get().last_active == as_datetime(START)

    @pytest.mark.rule("R6")
    def test_a_close_by_a_clock_ahead_does_not_let_the_limits_come_first(self):
        (watched,) = sign_in_many(1)
        records.close(watched.id, Reason.REVOKED, NOW + 3600)
        examine(watched)
        assert reason(watched) is Reason.REVOKED
        assert known(watched.id).activity.ended == NOW

    def test_an_open_record_ends_nothing(self):
        (watched,) = sign_in_many(1)
        revalidation.take_over(WatchedSession.objects.get(), NOW)
        assert reason(watched) is None


@contextmanager
def raising(owner: Any, name: str, concerns: Callable[..., bool]) -> Iterator[None]:
    """Have a method raise where it concerns one session."""
    method = getattr(owner, name)

    def patched(*args: Any, **kwargs: Any) -> Any:
        if concerns(*args, **kwargs):
            raise RuntimeError
        return method(*args, **kwargs)

    with mock.patch.object(owner, name, patched):
        yield


def broken_record(**fields: Any) -> Callable[[Watched], AbstractContextManager[object]]:
    def break_it(bad: Watched) -> AbstractContextManager[object]:
        WatchedSession.objects.filter(pk=bad.id).update(**fields)
        return nullcontext()

    return break_it


def broken_user(name: str) -> Callable[[Watched], AbstractContextManager[object]]:
    return lambda bad: raising(User, name, lambda user: str(user.pk) == bad.user)


def broken_key(bad: Watched) -> AbstractContextManager[object]:
    return raising(django_sessions.engine(), "exists", lambda _, key: key == bad.key)


BROKEN = {
    "ended by hand, without a reason": broken_record(ended=as_datetime(START + 10)),
    "ended for a reason of another release": broken_record(ended=as_datetime(START + 10), reason="bored"),
    "limits of another type": broken_record(limits={"idle_timeout": "soon"}),
    "limits that are none": broken_record(limits=[]),
    "facts of another type": broken_record(facts={"active": "yesterday"}),
    "no facts": broken_record(facts={}),
    "a user that is deleted": lambda bad: nullcontext(User.objects.filter(pk=bad.user).delete()),
    "a user model that raises": broken_user("get_session_auth_hash"),
    "an engine that raises for a key": broken_key,
}


class TestOneThatIsBroken:
    @pytest.mark.parametrize("engine", ["cache"], indirect=True)
    @pytest.mark.parametrize("break_it", BROKEN.values(), ids=BROKEN)
    def test_keeps_no_other_from_being_checked_and_is_logged_once(
        self, engine: str, break_it: Any, caplog: pytest.LogCaptureFixture
    ):
        first, gone, last = sign_in_many(3)
        (bad,) = sign_in_many(1, name="eve")
        with break_it(bad):
            django_sessions.delete([gone.key or ""])
            for moment in (10, 20):
                for watched in (first, bad, last):
                    stores.current().sessions.apply(watched.id, Acted(), START + moment)
                examine(first, gone, bad, last, suspects={gone.id})
                checkpoints = WatchedSession.objects.filter(pk__in=[first.id, last.id]).values_list("last_active")
                assert set(checkpoints) == {(as_datetime(START + moment),)}
        assert (reason(first), reason(last), reason(gone)) == (None, None, Reason.LOST)
        assert len(errors(caplog)) <= 1

    def test_is_ended_if_its_record_has(self):
        (watched,) = sign_in_many(1)
        WatchedSession.objects.update(ended=as_datetime(START + 10))
        examine(watched)
        assert (reason(watched), known(watched.id).activity.ended) == (Reason.LOST, START + 10)

    @pytest.mark.parametrize("engine", ["cache"], indirect=True)
    def test_whose_engine_raises_ends_with_its_account_all_the_same(self, engine: str):
        (bad,) = sign_in_many(1)
        with broken_key(bad):
            examine(bad)
            User.objects.update(is_active=False)
            examine(bad)
        assert reason(bad) is Reason.ACCOUNT

    @pytest.mark.parametrize("engine", ["cache"], indirect=True)
    def test_an_engine_that_is_away_ends_no_session_and_keeps_none_from_the_records(
        self, engine: str, caplog: pytest.LogCaptureFixture
    ):
        sessions = sign_in_many(3)
        with raising(django_sessions.engine(), "exists", lambda *_: True):
            for moment in (10, 20):
                for watched in sessions:
                    stores.current().sessions.apply(watched.id, Acted(), START + moment)
                assert examine(*sessions) == set()
                assert set(WatchedSession.objects.values_list("last_active")) == {(as_datetime(START + moment),)}
        (line,) = errors(caplog)
        assert line.startswith("The engine of Django's sessions fails: RuntimeError")


class TestCost:
    def test_three_hundred_sessions_take_a_handful_of_queries_and_what_did_not_change_none(
        self, django_assert_max_num_queries: Any, django_assert_num_queries: Any
    ):
        watches = sign_in_many(300)
        # At first, each user's password is compared with the session, after a look that found it unknown.
        for queries in (7, 3):
            with django_assert_num_queries(queries):
                examine(*watches)
        for watched in watches:
            stores.current().sessions.apply(watched.id, Acted(), START + 20)
        # The records in two parts, the checkpoint in two (SQLite takes 999 parameters), the accounts, the sessions.
        with django_assert_max_num_queries(9):
            examine(*watches)
        assert WatchedSession.objects.filter(last_active=as_datetime(START + 20)).count() == 300
