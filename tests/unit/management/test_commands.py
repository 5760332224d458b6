"""The commands on records and live sessions: sessions, endsessions, prunesessions."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from websockets.sync.client import connect

from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.core.events import Acted, Extended, Held, TabOpened
from idlewatch.drafts.models import Draft
from idlewatch.management import options
from idlewatch.management.commands import endsessions
from idlewatch.managers import WatchedSessionQuerySet
from idlewatch.models import WatchedSession
from idlewatch.monitor import pruning, records, stores
from idlewatch.monitor import service as monitor
from idlewatch.process import current_process
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.timer import Timer
from idlewatch.signals import dispatcher, session_ended
from idlewatch.store.memory import MemoryStore
from idlewatch.store.redis.presence import RedisPresence
from idlewatch.store.values import Reading, Watched
from tests.conftest import START, Time
from tests.integration.conftest import on
from tests.integration.server.visitors import Visitor
from tests.support.clocks import TestClock
from tests.support.processes import lose_store
from tests.support.redis_server import redis_url
from tests.support.serving import ROOT, Server, migrated
from tests.support.watches import arecord, asign_in, known, sign_in_many

HOUR, DAY = 3600, 86400
NOTIFIED_WITHIN = 10.0


def run(*command: str) -> str:
    """Run a command; return what it said."""
    out = io.StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


def run_json(*options: str) -> list[dict[str, Any]]:
    return json.loads(run("sessions", "--json", *options))


def listed(*options: str) -> list[str]:
    return [each["session"] for each in run_json(*options)]


def live() -> set[str]:
    return set(WatchedSession.objects.filter(ended=None).values_list("pk", flat=True))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """Sit at a terminal; return what asks there."""
    ask = mock.Mock()
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("builtins.input", ask)
    return ask


@contextmanager
def receiver(takes: float = 0.0) -> Iterator[list[Any]]:
    """Receive the ends, and take so many seconds for each."""
    received = []

    def receive(watch_id: str, user: str, reason: Reason, at: float, by: User | None, **_: Any) -> None:
        time.sleep(takes)
        received.append((watch_id, user, reason, at, by))

    session_ended.connect(receive)
    yield received
    session_ended.disconnect(receive)
    assert dispatcher.wait(10.0)


@pytest.mark.django_db(transaction=True)
class TestSessions:
    def test_lists_the_live_ones_in_a_table_without_control_characters_by_the_sites_time(
        self, clock: Time, settings: Any
    ):
        settings.TIME_ZONE = "Asia/Tokyo"
        (first,) = sign_in_many(1)
        WatchedSession.objects.update(address="\x1b[2J\x07")
        (ended,) = sign_in_many(1, name="bob")
        monitor.end(ended.id, Reason.LOGOUT, START)
        head, line, foot = run("sessions").splitlines()
        assert head.split()[:2] == ["session", "user"]
        assert line.split()[:2] == [first.id, "ada"]
        assert all(cell in line for cell in ("?[2J?", "2030-03-18 02:46:40", "active"))
        assert foot == "Total: 1"

    def test_names_the_probes_of_the_site(self, clock: Time):
        (user,), (probe,) = sign_in_many(1), sign_in_many(1, at=clock.pass_(1), prefix="probe:")
        assert [(each["session"], each["probe"]) for each in run_json()] == [(user.id, False), (probe.id, True)]
        assert [probe.id in line for line in run("sessions").splitlines() if "Check of this site" in line] == [True]
        assert run("endsessions", "--user", "ada", "--noinput") == "Ended 2 sessions.\n"
        assert live() == set()

    def test_says_so_where_there_are_none(self):
        assert run("sessions") == "No sessions.\n"
        assert run_json() == []

    def test_of_one_user_alone_also_when_the_account_is_deleted(self, clock: Time, monkeypatch: pytest.MonkeyPatch):
        (first,), _ = sign_in_many(1), sign_in_many(1, name="bob")
        assert listed("--user", "ada") == [first.id]
        with monkeypatch.context() as numbered:
            numbered.setattr(User, "USERNAME_FIELD", "id")
            assert listed("--user", first.user) == [first.id]
        User.objects.get(username="ada").delete()
        assert listed("--user", "ada", "--ended") == [first.id]

    @pytest.mark.parametrize("command", [["sessions"], ["endsessions", "--noinput"]])
    @pytest.mark.parametrize(("field", "name"), [("username", "bob"), ("id", "bob"), ("id", "9" * 30)])
    def test_unknown_or_impossible_user_is_an_error(
        self, command: list[str], field: str, name: str, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(User, "USERNAME_FIELD", field)
        with pytest.raises(CommandError, match=f"There is no user '{name}'"):
            run(*command, "--user", name)

    def test_those_that_have_ended_the_latest_first(self, clock: Time):
        first, second, _ = sign_in_many(3)
        monitor.end(first.id, Reason.LOGOUT, START + 1)
        monitor.end(second.id, Reason.REVOKED, START + 2, by=User.objects.get())
        found = run_json("--ended")
        assert [(each["session"], each["reason"], each["ended_by"]) for each in found] == [
            (second.id, "revoked", "ada"),
            (first.id, "logout", None),
        ]
        assert found[0]["ended"] == "2030-03-17T17:46:42.000Z"
        assert listed("--ended", "--limit", "1") == [second.id]
        with pytest.raises(CommandError, match="'0' is not a number of sessions; expected 1 or more"):
            listed("--limit", "0")
        assert "revoked" in run("sessions", "--ended")

    @pytest.mark.parametrize("on", ["memory", "redis"])
    def test_asks_a_store_that_is_shared_and_of_one_in_memory_the_records(self, clock: Time, request: Any, on: str):
        if on == "redis":
            request.getfixturevalue("on_redis")
        (first,) = sign_in_many(1)
        clock.now = START + 30
        for event in (TabOpened("p1", 50), Acted()):
            stores.current().sessions.apply(first.id, event, clock.now)
        (found,) = run_json()
        assert found["started"] == "2030-03-17T17:46:40.000Z"
        if on == "memory":
            assert (found["last_active"], found["tabs"]) == ("2030-03-17T17:46:40.000Z", None)
            return
        assert (found["last_active"], found["tabs"]) == ("2030-03-17T17:47:10.000Z", 1)
        assert found["ends"] == "2030-03-17T17:48:50.000Z"
        # What is held is active until now.
        stores.current().sessions.apply(first.id, Held("upload"), START + 30)
        clock.now = START + 40
        assert run_json()[0]["last_active"] == "2030-03-17T17:47:20.000Z"

    def test_many_cost_no_more_queries(self, clock: Time, django_assert_max_num_queries: Any):
        sign_in_many(20)
        with django_assert_max_num_queries(2):
            assert len(run_json()) == 20


@pytest.mark.django_db(transaction=True)
class TestEndSessions:
    @pytest.mark.rule("R14")
    def test_ends_all_of_a_user_also_what_another_clock_says_is_yet_to_begin(self, clock: Time):
        sign_in_many(2), sign_in_many(1, at=START + HOUR)
        (other,) = sign_in_many(1, name="bob")
        assert run("endsessions", "--user", "ada", "--noinput") == "Ended 3 sessions.\n"
        assert live() == {other.id}
        assert set(WatchedSession.objects.filter(username="ada").values_list("reason", "ended_by")) == {
            ("revoked", None)
        }

    @pytest.mark.rule("R14")
    def test_ends_all_of_all_users_and_announces_each_once(self, clock: Time, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(records, "BATCH_SIZE", 2)
        watched = [*sign_in_many(3), *sign_in_many(2, name="bob")]
        with receiver() as received:
            assert run("endsessions", "--all", "--noinput") == "Ended 5 sessions.\n"
            assert run("endsessions", "--all", "--noinput") == "No live sessions.\n"
        assert sorted(received) == sorted((each.id, each.user, Reason.REVOKED, START, None) for each in watched)
        assert live() == set()

    @pytest.mark.parametrize("by", [-HOUR, HOUR])
    def test_goes_by_the_time_of_a_store_that_is_shared_where_the_clock_of_its_host_is_off(
        self, on_redis: None, clock: Time, monkeypatch: pytest.MonkeyPatch, by: float
    ):
        (first,) = sign_in_many(1)
        clock.now = START + 30
        monkeypatch.setattr(RedisPresence, "read_time", lambda *_: Reading(START + 30, 0.0, None))
        monkeypatch.setattr(TestClock, "shift", lambda _, by: clock.pass_(by))

        def start_with_a_wrong_clock() -> None:
            lose_store()
            clock.pass_(by)

        start_with_a_wrong_clock()
        assert run_json()[0]["phase"] == "active"
        start_with_a_wrong_clock()
        assert run("endsessions", "--all", "--noinput") == "Ended 1 session.\n"
        row = WatchedSession.objects.get(pk=first.id)
        assert (row.reason, row.ended) == ("revoked", as_datetime(START + 30))

    def test_has_to_be_told_whose(self):
        with pytest.raises(CommandError, match="one of the arguments --user --all is required"):
            run("endsessions", "--noinput")
        with pytest.raises(CommandError, match="not allowed with"):
            run("endsessions", "--all", "--user", "ada", "--noinput")

    def test_where_the_number_is_confirmed_one_that_began_after_the_question_lives(
        self, clock: Time, terminal: mock.Mock
    ):
        sign_in_many(2)
        late: list[Watched] = []

        def ask(question: str) -> str:
            late.extend(sign_in_many(1, at=START + 1))
            return "y"

        terminal.side_effect = ask
        clock.now = START + HOUR
        assert run("endsessions", "--user", "ada") == "Ended 2 sessions.\n"
        terminal.assert_called_once_with("This ends 2 sessions of ada. [y/N] ")
        assert live() == {late[0].id}

    @pytest.mark.parametrize("said", ["", "n", "what?", EOFError(), KeyboardInterrupt()], ids=str)
    def test_ends_nothing_without_a_yes_or_a_terminal(
        self, clock: Time, terminal: mock.Mock, monkeypatch: pytest.MonkeyPatch, said: str | BaseException
    ):
        sign_in_many(2)
        terminal.side_effect = [said]
        with pytest.raises(CommandError, match="Nothing was done"):
            run("endsessions", "--all")
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        with pytest.raises(CommandError, match="--noinput"):
            run("endsessions", "--all")
        assert len(live()) == 2

    @pytest.mark.usefixtures("on_redis")
    def test_one_that_ended_by_the_clock_keeps_its_reason(self, clock: Time):
        (first,) = sign_in_many(1)
        clock.now = START + 500
        assert run("endsessions", "--all", "--noinput") == "Ended 0 sessions.\n"
        assert WatchedSession.objects.get(pk=first.id).reason == "idle"

    async def test_one_in_the_memory_of_another_process_ends_whatever_its_record_says_of_the_clock(
        self, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        first = await asign_in(idle_timeout=900, warn_before=120, absolute_timeout=40_000, checkpoint=60)
        owner, timer = stores.current(), Timer(current_process(), Hub(current_process()))
        clock.now = START + 880
        await timer.round(clock.now)
        # The user chose to stay, and the record does not have it yet.
        owner.sessions.apply(first.id, Extended(), clock.now + 1)
        clock.now = START + 910
        with monkeypatch.context() as command:
            command.setattr(stores, "current", lambda: MemoryStore(None, {}))
            assert await sync_to_async(run)("endsessions", "--all", "--noinput") == "Ended 1 session.\n"
            assert await sync_to_async(run)("endsessions", "--all", "--noinput") == "No live sessions.\n"
        row = await arecord(first.id)
        assert (row.reason, row.ended) == ("revoked", as_datetime(clock.now))
        await timer.round(clock.now + 1)
        assert known(first.id).activity.reason is Reason.REVOKED

    def test_a_name_that_an_account_had_before_matches_no_user(self, clock: Time):
        """The record keeps the name of the sign-in; whose session it is, the account says."""
        (first,) = sign_in_many(1)
        User.objects.update(username="ann")
        with pytest.raises(CommandError, match="There is no user 'ada'"):
            run("endsessions", "--user", "ada", "--noinput")
        assert live() == {first.id}
        assert run("endsessions", "--user", "ann", "--noinput") == "Ended 1 session.\n"

    def test_one_that_another_process_ends_meanwhile_is_not_counted(self, clock: Time, monkeypatch: pytest.MonkeyPatch):
        first, _ = sign_in_many(2)
        find = WatchedSessionQuerySet.find

        def too_late(rows: WatchedSessionQuerySet, watch_id: str) -> WatchedSession | None:
            record = find(rows, watch_id)
            if watch_id == first.id:
                records.close(watch_id, Reason.LOGOUT, START)
            return record

        monkeypatch.setattr(WatchedSessionQuerySet, "find", too_late)
        assert run("endsessions", "--all", "--noinput") == "Ended 1 session.\n"
        assert WatchedSession.objects.get(pk=first.id).reason == "logout"

    @pytest.mark.usefixtures("on_redis")
    def test_nor_is_one_that_another_operator_ends_meanwhile(self, clock: Time, monkeypatch: pytest.MonkeyPatch):
        first, _ = sign_in_many(2)
        clock.now = START + 2
        end = monitor.end

        def too_late(watch_id: str, reason: Reason, at: float) -> Watched:
            if watch_id == first.id:
                end(watch_id, Reason.REVOKED, START + 1)
            return end(watch_id, reason, at)

        monkeypatch.setattr(monitor, "end", too_late)
        assert run("endsessions", "--all", "--noinput") == "Ended 1 session.\n"
        assert live() == set()

    def test_a_store_that_is_away_is_not_waited_for_and_what_ends_by_the_records_counts(
        self, clock: Time, settings: Any
    ):
        store = {"BACKEND": "idlewatch.store.redis.RedisStore", "LOCATION": "redis://127.0.0.1:1/0"}
        sign_in_many(2)
        settings.IDLEWATCH = {"STORE": store}
        assert len(run_json()) == 2
        # Of which the records keep the microseconds alone.
        clock.now = START + 0.123_456_7
        assert run("endsessions", "--all", "--noinput") == "Ended 2 sessions.\n"

    def test_waits_until_the_receivers_return_but_not_for_ever(self, clock: Time, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(dispatcher, "DRAIN_TIMEOUT", 0.0)
        sign_in_many(5)
        with receiver(takes=0.05) as received:
            run("endsessions", "--all", "--noinput")
            assert len(received) == 5
        monkeypatch.setattr(endsessions, "RECEIVERS_TIMEOUT", 0.05)
        sign_in_many(1)
        with receiver(takes=0.5) as received:
            assert run("endsessions", "--all", "--noinput") == "Ended 1 session.\n"
            assert received == []


@pytest.mark.django_db(transaction=True)
class TestPruneSessions:
    @pytest.fixture
    def aged(self, clock: Time) -> dict[str, str]:
        """One that lives, one that ended 100 days ago, one that ended 80 days ago."""
        lives, older, newer = (each.id for each in sign_in_many(3))
        for watch_id, days in ((older, 100), (newer, 80)):
            at = as_datetime(START - days * DAY)
            WatchedSession.objects.filter(pk=watch_id).update(ended=at, reason="idle", started=at)
        WatchedSession.objects.filter(pk=lives).update(started=as_datetime(START - 200 * DAY))
        return {"lives": lives, "older": older, "newer": newer}

    def left(self) -> set[str]:
        return set(WatchedSession.objects.values_list("pk", flat=True))

    def test_deletes_what_ended_longer_ago_and_no_draft(self, aged: dict[str, str], terminal: mock.Mock):
        draft = Draft.objects.create(user=User.objects.get(), saved_at=as_datetime(START - 100 * DAY))
        older = ("prunesessions", "--older-than", "2160h")
        described = "of sessions that ended before 2029-12-17 17:46 UTC."
        assert run(*older, "--dry-run") == f"1 record {described}\n"
        terminal.return_value = "no"
        with pytest.raises(CommandError, match="Nothing was done"):
            run(*older)
        terminal.assert_called_once_with(f"This deletes 1 record {described} [y/N] ")
        assert len(self.left()) == 3
        printed = [run(*older, "--noinput") for _ in range(2)]
        assert printed == ["Deleted 1 record.\n", f"No records {described}\n"]
        assert self.left() == {aged["lives"], aged["newer"]}
        assert Draft.objects.get() == draft

    def test_shows_on_a_terminal_how_far_it_is(self, aged: dict[str, str], monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(records, "BATCH_SIZE", 1)
        terminal, out = Terminal(), io.StringIO()
        call_command("prunesessions", "--older-than", "30d", "--noinput", stdout=out, stderr=terminal)
        assert out.getvalue() == "Deleted 2 records.\n"
        shown = ["", "1 of 2 records (50 %)", "2 of 2 records (100 %)", "\x1b[K"]
        assert terminal.getvalue().split("\r") == shown

    def test_the_timer_does_the_same_where_the_project_says_how_long_records_are_kept(
        self, aged: dict[str, str], settings: Any, monkeypatch: pytest.MonkeyPatch
    ):
        pruning.sweep(START)
        settings.IDLEWATCH = {"RECORD_RETENTION": 101 * DAY}
        pruning.sweep(START)
        assert len(self.left()) == 3
        settings.IDLEWATCH = {"RECORD_RETENTION": 90 * DAY}
        pruning.sweep(START)
        assert self.left() == {aged["lives"], aged["newer"]}

    def test_the_timer_deletes_so_many_at_a_time_and_none_that_a_stale_cookie_may_ask_for(
        self, aged: dict[str, str], settings: Any, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(records, "BATCH_SIZE", 1)
        settings.SESSION_COOKIE_AGE = 50 * DAY
        settings.IDLEWATCH = {"RECORD_RETENTION": 1}
        assert pruning.sweep(START)
        assert self.left() == {aged["lives"], aged["newer"]}
        # The second is longer than there are dates.
        for age in (90 * DAY, 10**12):
            settings.SESSION_COOKIE_AGE = age
            assert not pruning.sweep(START)
        assert self.left() == {aged["lives"], aged["newer"]}

    def test_writes_no_more_than_a_hundred_times_there(self):
        terminal = Terminal()
        with options.progress(OutputWrapper(terminal), 1000, "records") as advance:
            for _ in range(1000):
                advance(1)
        assert terminal.getvalue().count("\r") == 101

    def test_refuses_what_a_stale_cookie_may_still_ask_for(self, aged: dict[str, str], settings: Any):
        settings.SESSION_COOKIE_AGE = 30 * DAY
        with pytest.raises(CommandError, match="expected at least SESSION_COOKIE_AGE, which is 30 days"):
            run("prunesessions", "--older-than", "29d", "--noinput")
        assert run("prunesessions", "--older-than", "30d", "--dry-run").startswith("2 records")
        assert len(self.left()) == 3

    @pytest.mark.parametrize("age", ["90", "d", "-5d", "0d", "1.5d", "90 days", "90y", "", "9999999d", "999999w"])
    def test_an_invalid_age_is_refused_by_name(self, age: str):
        with pytest.raises(CommandError, match="is not an age; expected a number and m, h, d or w, as in 90d"):
            run("prunesessions", f"--older-than={age}")

    def test_ages_are_as_they_read(self):
        hours = [options.age(text) / timedelta(hours=1) for text in ("90m", "36h", "90d", "2w")]
        assert hours == [1.5, 36, 90 * 24, 14 * 24]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("dropped", "kept"), [("KEEP_ADDRESS", ("", "Mozilla")), ("KEEP_USER_AGENT", ("127.0.0.1", ""))]
)
def test_a_site_may_keep_neither_address_nor_user_agent(
    clock: Time, client: Any, settings: Any, dropped: str, kept: tuple[str, str]
):
    settings.IDLEWATCH = {dropped: False}
    User.objects.create_user("ann", password="pw")
    client.post("/login/", {"username": "ann", "password": "pw"}, headers={"User-Agent": "Mozilla"})
    assert WatchedSession.objects.values_list("address", "user_agent").get() == kept


@pytest.fixture(scope="module", params=["memory", "redis"])
def server(tmp_path_factory: pytest.TempPathFactory, request: Any) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("beside")
    server = on(shutil.copy(migrated(), directory / "db.sqlite3"), directory)
    server.environ["IDLEWATCH_IDLE_TIMEOUT"] = "300"
    if request.param == "redis":
        server.environ["REDIS_URL"] = redis_url()
    server.start()
    yield server
    server.stop()


@pytest.mark.server
class TestBesideARunningServer:
    """A server in a process of its own, on a database and a store of its own, each command in another."""

    @pytest.mark.rule("R14")
    def test_an_open_tab_is_notified_and_the_session_is_gone(self, server: Server):
        ann, bob = Visitor(server, "ann"), Visitor(server, "bob")
        (listed,) = json.loads(server.manage("sessions", "--json", "--user", "ann"))
        assert (listed["user"], listed["phase"]) == ("ann", "active")
        assert ann.key not in json.dumps(listed)
        headers = {"Cookie": ann.cookie}
        with connect(server.socket_url(), additional_headers=headers, origin=server.origin) as tab:  # type: ignore[arg-type]
            assert json.loads(tab.recv(NOTIFIED_WITHIN))["phase"] == "active"
            assert server.manage("endsessions", "--user", "ann", "--noinput") == "Ended 1 session.\n"
            ended_at = time.monotonic()
            frame = json.loads(tab.recv(NOTIFIED_WITHIN))
            assert (frame["phase"], frame["reason"]) == ("ended", "revoked")
            # The owner of a store in memory looks once a second.
            assert time.monotonic() - ended_at < NOTIFIED_WITHIN / 2
        assert ann.get("/idlewatch/state/").status == 401
        assert bob.get("/idlewatch/state/").status == 200
        assert server.manage("endsessions", "--user", "ann", "--noinput") == "No live sessions.\n"
        (kept,) = json.loads(server.manage("sessions", "--json", "--ended", "--user", "ann", "--limit", "1"))
        assert kept["reason"] == "revoked"
        assert server.manage("prunesessions", "--older-than", "52w", "--noinput").startswith("No records")

    def test_a_list_may_be_cut_off_by_the_command_that_reads_it(self, server: Server):
        listing = f"set -o pipefail; {sys.executable} manage.py sessions | true"
        command = ["bash", "-c", listing]
        done = subprocess.run(command, cwd=ROOT, env=server.environ, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")
        assert "BrokenPipe" not in done.stderr
