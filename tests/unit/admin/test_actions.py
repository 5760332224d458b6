"""What operators do to live sessions: who may, which sessions are meant, and what the admin's log says of it."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import DEFAULT_DB_ALIAS, OperationalError
from django.test import Client
from django.urls import resolve

from idlewatch import notify
from idlewatch.admin import selection
from idlewatch.core.activity import Reason
from idlewatch.core.events import TabOpened
from idlewatch.core.policy import Phase
from idlewatch.exceptions import NotRunning, Undecided
from idlewatch.models import WatchedSession
from idlewatch.monitor import records, stores
from idlewatch.monitor import service as monitor
from idlewatch.notify import Reach
from idlewatch.signals import session_ended
from tests.conftest import START, Time
from tests.support import announced
from tests.support.watches import known, sign_in_many

pytestmark = pytest.mark.django_db(transaction=True)

COUNT, ACT = "/admin/idlewatch/live/count/", "/admin/idlewatch/live/act/"
LATER = START + 1
Sent = list[tuple[list[str], str]]
ALL = {"query": {}, "before": LATER}
USERS = {"action": "end_users", "watches": ["x"], "before": LATER}


class Operator:
    """A browser, with a user signed in or without one."""

    def __init__(self, user: User | None, *, csrf: bool = False) -> None:
        self.user = user
        self.client = Client(enforce_csrf_checks=csrf)
        if user is not None:
            self.client.force_login(user)

    @property
    def watch_id(self) -> str:
        return self.client.session["_idlewatch"]

    def post(self, path: str, body: Any, **headers: str) -> Any:
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        return self.client.post(path, text, content_type="application/json", headers=headers)

    def count(self, **body: Any) -> dict[str, Any]:
        response = self.post(COUNT, body)
        assert response.status_code == 200, response.content
        return response.json()

    def act(self, action: str, **body: Any) -> dict[str, Any]:
        response = self.post(ACT, {"action": action, **body})
        assert response.status_code == 200, response.content
        return response.json()

    def act_on_all(self, action: str, **body: Any) -> list[dict[str, Any]]:
        """Come back until nothing is left."""
        answers = [self.act(action, **body)]
        while answers[-1]["cursor"] is not None:
            assert len(answers) < 50
            answers.append(self.act(action, cursor=answers[-1]["cursor"], **body))
        return answers


@pytest.fixture
def operator(clock: Time) -> Operator:
    operator = Operator(User.objects.create_superuser("op", password="pw"))
    clock.now = LATER
    return operator


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Each notice, which reaches two of three tabs."""
    notices: Sent = []

    def send(watches: list[str], text: str) -> Reach:
        notices.append((list(watches), text))
        return Reach(2, 3)

    monkeypatch.setattr(notify, "send", send)
    return notices


def ids(watched: list[Any]) -> list[str]:
    return [each.id for each in watched]


def live() -> set[str]:
    return set(WatchedSession.objects.filter(ended=None).values_list("pk", flat=True))


ROLES = {
    "anonymous": (False, ()),
    "a user": (False, ("view_watchedsession", "end_watchedsession")),
    "staff": (True, ()),
    "staff who may view": (True, ("view_watchedsession",)),
    "staff who may end": (True, ("end_watchedsession",)),
    "staff who may both": (True, ("view_watchedsession", "end_watchedsession")),
    "a superuser": (True, ()),
}
PERMITTED = {"staff who may both", "a superuser"}


@pytest.mark.rule("R14")
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("path", [COUNT, ACT])
def test_only_staff_with_both_permissions_act(role: str, path: str, clock: Time):
    is_staff, permissions = ROLES[role]
    user = None
    if role != "anonymous":
        user = User.objects.create_user("op", password="pw", is_staff=is_staff, is_superuser=role == "a superuser")
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    operator = Operator(user)
    (watch_id,) = ids(sign_in_many(1))
    response = operator.post(path, {"action": "end", "watches": [watch_id]})
    if role in PERMITTED:
        assert response.status_code == 200
        assert (watch_id in live()) == (path == COUNT)
    else:
        assert response.status_code == 403
        assert response.json() == {"detail": "You are not permitted to do this."}
        assert watch_id in live()
        assert not LogEntry.objects.exists()


@pytest.mark.rule("R14")
@pytest.mark.parametrize("path", [COUNT, ACT])
def test_neither_a_link_nor_a_form_of_another_site_acts(path: str, clock: Time):
    operator = Operator(User.objects.create_superuser("op", password="pw"), csrf=True)
    (watch_id,) = ids(sign_in_many(1))
    body = {"action": "end", "watches": [watch_id]}
    assert operator.post(path, body).status_code == 403
    assert operator.client.get(path, body).status_code == 405
    assert watch_id in live()
    operator.client.cookies["csrftoken"] = token = "a" * 32
    assert operator.post(path, body, **{"X-CSRFToken": token}).status_code == 200


class TestEnding:
    @pytest.mark.rule("R14")
    def test_ends_the_selected_sessions_once_and_records_announces_and_logs_who_ended_them(self, operator: Operator):
        announcements = announced.Heard()

        def receive(watch_id: str, by: User, **_: Any) -> None:
            announcements.append((watch_id, by.pk))

        session_ended.connect(receive)
        first, second, third = ids(sign_in_many(3))
        asked = {"watches": [first, second, "unknown"]}
        assert operator.act("end", **asked) == {"done": 2, "own": 0, "cursor": None}
        assert operator.act("end", **asked)["done"] == 0
        assert live() == {third, operator.watch_id}
        record = WatchedSession.objects.get(pk=first)
        assert (record.reason, record.ended_by) == ("revoked", operator.user)
        assert known(first).activity.reason is Reason.REVOKED
        assert sorted(announcements) == sorted((each, operator.user.pk) for each in (first, second))
        session_ended.disconnect(receive)
        entries = LogEntry.objects.all()
        assert sorted(entry.object_id for entry in entries) == sorted([first, second])
        assert {entry.content_type for entry in entries} == {ContentType.objects.get_for_model(WatchedSession)}
        assert {(entry.user, entry.action_flag) for entry in entries} == {(operator.user, CHANGE)}
        assert {entry.get_change_message() for entry in entries} == {"Ended from the live page."}

    @pytest.mark.rule("R14")
    def test_all_that_match_are_ended_but_for_the_operators_own_and_of_those_selected_the_present_one(
        self, operator: Operator
    ):
        other, *_ = ids(sign_in_many(1, name="op"))
        sign_in_many(3)
        sign_in_many(2, name="bob")
        assert operator.count(**ALL) == {"sessions": 5, "users": 2, "own": 2, "before": LATER}
        assert operator.act("end", **ALL) == {"done": 5, "own": 2, "cursor": None}
        assert live() == {operator.watch_id, other}
        asked = {"watches": [operator.watch_id, other]}
        assert operator.count(**asked) == {"sessions": 1, "users": 1, "own": 1, "before": LATER}
        assert operator.act("end", **asked) == {"done": 1, "own": 1, "cursor": None}
        assert live() == {operator.watch_id}

    def test_sessions_that_began_after_the_confirmation_stay(self, operator: Operator, clock: Time):
        sign_in_many(1)
        before = operator.count(query={})["before"]
        clock.pass_(5)
        (newer,) = ids(sign_in_many(1, name="bob", at=clock.now))
        operator.act("end", query={}, before=before)
        assert live() == {operator.watch_id, newer}
        # A moment that is yet to come is taken for now.
        assert operator.count(query={}, before=clock.now + 1e6)["before"] == clock.now

    def test_a_session_that_ended_meanwhile_is_not_counted(self, operator: Operator, monkeypatch: pytest.MonkeyPatch):
        ended, revoked = ids(sign_in_many(2))
        end = monitor.end

        def end_late(watch_id: str, *args: Any, **kwargs: Any) -> Any:
            if watch_id == ended:
                end(watch_id, Reason.LOGOUT, LATER)
            return end(watch_id, *args, **kwargs)

        monkeypatch.setattr(monitor, "end", end_late)
        assert operator.act("end", watches=[ended, revoked])["done"] == 1
        assert WatchedSession.objects.get(pk=ended).reason == "logout"
        assert [entry.object_id for entry in LogEntry.objects.all()] == [revoked]

    def test_many_are_worked_off_in_batches(self, operator: Operator, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(selection, "MAX_BATCH", 3)
        watches = ids(sign_in_many(7))
        assert [answer["done"] for answer in operator.act_on_all("end", watches=watches)] == [3, 3, 1]
        sign_in_many(6, name="bob")
        answers = operator.act_on_all("end", **ALL)
        # The operator's own is reported once.
        assert [(answer["done"], answer["own"]) for answer in answers] == [(3, 1), (3, 0)]
        assert live() == {operator.watch_id}

    def test_what_was_done_counts_also_where_the_rest_failed(self, operator: Operator, monkeypatch: pytest.MonkeyPatch):
        watches = sorted(ids(sign_in_many(3)))
        end, away = monitor.end, {watches[1]}

        def fail(watch_id: str, *args: Any, **kwargs: Any) -> Any:
            if watch_id in away:
                raise Undecided
            return end(watch_id, *args, **kwargs)

        monkeypatch.setattr(monitor, "end", fail)
        message = {"action": "end", "watches": [*watches, operator.watch_id]}
        assert operator.act(**message) == {"done": 1, "own": 0, "cursor": ""}
        assert [entry.object_id for entry in LogEntry.objects.all()] == [watches[0]]
        assert operator.post(ACT, message).status_code == 503
        away.clear()
        assert operator.act(**message) == {"done": 2, "own": 1, "cursor": None}
        assert {entry.object_id for entry in LogEntry.objects.all()} == set(watches)

    @pytest.mark.parametrize("action", ["end", "notice"])
    def test_what_the_admin_log_cannot_take_is_in_the_servers_and_is_not_done_twice(
        self, operator: Operator, sent: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any, action: str
    ):
        watches = ids(sign_in_many(2))
        locked = mock.Mock(side_effect=OperationalError("database is locked"))
        monkeypatch.setattr(type(LogEntry.objects), "log_actions", locked)
        asked = {"text": "Noon"} if action == "notice" else {}
        assert operator.act(action, watches=watches, **asked)["done"] == 2
        (told,) = [record for record in caplog.records if getattr(record, "event", "") == "action_not_logged"]
        assert (told.levelname, set(told.watch_ids.split())) == ("ERROR", set(watches))
        assert told.user == str(operator.user.pk)

    def test_what_ended_is_in_the_servers_log_where_the_records_cannot_be_asked(
        self, operator: Operator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        (watch_id,) = ids(sign_in_many(1))
        monkeypatch.setattr(records, "revoked_by", mock.Mock(side_effect=OperationalError("gone")))
        assert operator.post(ACT, {"action": "end", "watches": [watch_id]}).status_code == 503
        assert [record.watch_ids for record in caplog.records if hasattr(record, "watch_ids")] == [watch_id]

    def test_each_end_stands_by_itself_though_requests_are_atomic(self):
        """A transaction that is rolled back would take the records with it; the store has ended them."""
        assert resolve(ACT).func._non_atomic_requests == {DEFAULT_DB_ALIAS}

    @pytest.mark.parametrize("on", ["memory", pytest.param("redis", marks=pytest.mark.redis)])
    def test_costs_the_same_few_queries_for_each_session(
        self, clock: Time, request: pytest.FixtureRequest, django_assert_max_num_queries: Any, on: str
    ):
        if on == "redis":
            request.getfixturevalue("on_redis")
        operator = Operator(User.objects.create_superuser("op", password="pw"))
        clock.now = LATER
        sign_in_many(50)
        with django_assert_max_num_queries(12):
            operator.count(**ALL)
        with django_assert_max_num_queries(12 + 50 * 8):
            assert operator.act("end", **ALL)["done"] == 50


class TestThePhaseAndTheConnection:
    @pytest.fixture
    def sessions(self, operator: Operator, clock: Time) -> dict[str, str]:
        warned, connected, away = ids(sign_in_many(3))
        store = stores.current()
        clock.now = START + 85
        store.sessions.apply(connected, TabOpened("p1", 50), clock.now)
        (settled,) = async_to_sync(store.queue.settle)([known(warned)], clock.now)
        assert settled is not None
        assert settled.shown.phase is Phase.WARNED
        return {"warned": warned, "connected": connected, "away": away}

    @pytest.mark.parametrize(
        ("query", "ended"),
        [
            ({"connected": "yes"}, {"connected"}),
            ({"connected": "no"}, {"warned", "away"}),
            ({"phase": "warned"}, {"warned"}),
        ],
    )
    def test_those_that_the_store_knows_to_match_are_ended(
        self, operator: Operator, sessions: dict[str, str], query: dict[str, str], ended: set[str]
    ):
        asked = {"query": query, "before": LATER}
        assert operator.count(**asked)["sessions"] == len(ended)
        operator.act("end", **asked)
        assert live() == {operator.watch_id, *(sessions[name] for name in sessions.keys() - ended)}

    def test_few_that_match_among_many_take_several_calls(
        self, operator: Operator, sessions: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(selection, "MAX_CANDIDATES", 2)
        sign_in_many(5, name="bob")
        answers = operator.act_on_all("end", query={"connected": "yes"}, before=LATER)
        assert len(answers) == 4
        assert sum(answer["done"] for answer in answers) == 1
        assert sessions["connected"] not in live()

    def test_where_more_match_than_one_call_acts_on_the_next_goes_on_with_those(
        self, operator: Operator, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(selection, "MAX_BATCH", 2)
        monkeypatch.setattr(selection, "MAX_CANDIDATES", 10)
        for watch_id in ids(sign_in_many(5)):
            stores.current().sessions.apply(watch_id, TabOpened("p1", 50), LATER)
        answers = operator.act_on_all("end", query={"connected": "yes"}, before=LATER)
        assert [answer["done"] for answer in answers] == [2, 2, 1]
        assert live() == {operator.watch_id}


class TestEndingAllOfAUser:
    def test_ends_the_older_sessions_that_were_not_selected_too(self, operator: Operator, clock: Time):
        first, *_ = ids(sign_in_many(3))
        (other,) = ids(sign_in_many(1, name="bob"))
        (newer,) = ids(sign_in_many(1, at=clock.pass_(5)))
        asked = {"watches": [first], "before": LATER}
        assert operator.count(action="end_users", **asked) == {"sessions": 3, "users": 1, "own": 0, "before": LATER}
        # A selected session that has ended meanwhile stands for its user all the same.
        monitor.end(first, Reason.LOGOUT, LATER)
        assert operator.act("end_users", **asked) == {"done": 2, "own": 0, "cursor": None}
        assert live() == {operator.watch_id, other, newer}

    def test_a_selected_one_of_the_operator_stands_for_the_others_but_not_for_the_present_one(self, operator: Operator):
        other, *_ = ids(sign_in_many(2, name="op"))
        sign_in_many(2)
        asked = {"watches": [other], "before": LATER}
        assert operator.count(action="end_users", **asked)["own"] == 1
        # All that match leave the operator alone.
        assert operator.act("end_users", **ALL) == {"done": 2, "own": 3, "cursor": None}
        assert operator.act("end_users", **asked) == {"done": 2, "own": 1, "cursor": None}
        assert live() == {operator.watch_id}

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_batches_end_all_of_each_user_though_the_selected_one_is_ended_first(
        self, operator: Operator, monkeypatch: pytest.MonkeyPatch, limit: int
    ):
        monkeypatch.setattr(selection, "MAX_BATCH", limit)
        for name in ("ann", "bob", "cid"):
            chosen, *_ = sorted(ids(sign_in_many(5, name=name)))
            WatchedSession.objects.filter(pk=chosen).update(user_agent="Netscape/4 (X11)")
        (other,) = ids(sign_in_many(1, name="dan"))
        asked = {"query": {"search": " x11  netscape "}, "before": LATER}
        assert operator.count(action="end_users", **asked)["sessions"] == 15
        answers = operator.act_on_all("end_users", **asked)
        assert sum(answer["done"] for answer in answers) == 15
        assert max(answer["done"] for answer in answers) == limit
        assert live() == {operator.watch_id, other}

    def test_so_do_those_that_stop_at_a_probe(self, operator: Operator, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(selection, "MAX_BATCH", 1)
        chosen, *_ = ids(sign_in_many(2, prefix="probe:"))
        sign_in_many(2)
        answers = operator.act_on_all("end_users", watches=[chosen], before=LATER)
        assert [answer["done"] for answer in answers][:4] == [1, 1, 1, 1]
        assert live() == {operator.watch_id}

    def test_users_are_found_by_the_phase_of_a_session_too(self, operator: Operator):
        connected, *_ = ids(sign_in_many(3))
        sign_in_many(1, name="bob")
        stores.current().sessions.apply(connected, TabOpened("p1", 50), LATER)
        asked = {"query": {"connected": "yes"}, "before": LATER}
        assert operator.count(action="end_users", **asked) == {"sessions": 3, "users": 1, "own": 0, "before": LATER}
        assert operator.act("end_users", **asked)["done"] == 3


class TestNotices:
    def test_goes_to_the_selected_sessions_and_is_in_the_log_of_each(self, operator: Operator, sent: Sent):
        first, second, _ = sorted(ids(sign_in_many(3)))
        answer = operator.act("notice", watches=[first, second], text="  Please <b>save</b>.\r\n")
        assert answer == {"done": 2, "own": 0, "tabs": {"reached": 2, "open": 3}, "cursor": None}
        operator.act("notice", watches=[first], text="100 %")
        assert sent == [([first, second], "Please <b>save</b>."), ([first], "100 %")]
        said = [entry.get_change_message() for entry in LogEntry.objects.filter(object_id=first).order_by("pk")]
        assert said == [
            "Sent a message to 2 sessions, which reached 2 of 3 open tabs: “Please <b>save</b>.”",
            "Sent a message, which reached 2 of 3 open tabs: “100 %”",
        ]
        assert LogEntry.objects.filter(object_id=second).count() == 1
        # It may go to the session in which the operator acts.
        assert operator.count(action="notice", watches=[operator.watch_id])["sessions"] == 1
        assert operator.act("notice", watches=[operator.watch_id], text="Hello")["own"] == 0
        assert sent[2:] == [([operator.watch_id], "Hello")]

    def test_to_all_that_match_goes_past_the_operator_and_without_others_to_none(self, operator: Operator, sent: Sent):
        answer = operator.act("notice", text="Hello", **ALL)
        assert answer == {"done": 0, "own": 1, "tabs": {"reached": 0, "open": 0}, "cursor": None}
        assert sent == []
        watches = sorted(ids(sign_in_many(2)))
        assert operator.act("notice", text="Hello", **ALL)["own"] == 1
        assert sent == [(watches, "Hello")]

    @pytest.mark.parametrize("text", ["", "   ", "x" * 501, "bell\x07"])
    def test_without_a_text_that_can_be_shown_is_refused(self, operator: Operator, sent: Sent, text: str):
        response = operator.post(ACT, {"action": "notice", "text": text, **ALL})
        assert response.status_code == 400
        assert "expected" in response.json()["detail"]
        assert sent == []


BAD = [
    ("", "Expected JSON"),
    (b"\xff", "Expected JSON"),
    (" " * 262_145, "Expected at most 262144 bytes"),
    ({"watches": []}, "Expected `array` of length >= 1"),
    ({"watches": ["x"] * 1001}, "Expected `array` of length <= 1000"),
    ({"watches": ["x" * 33]}, "Expected `str` of length <= 32"),
    ({"watches": ["a\x00"]}, "Expected `str` matching regex"),
    ({}, "Expected either `watches` or `query`, got neither"),
    ({"watches": ["x"], "query": {}}, "Expected either `watches` or `query`, got both"),
    ({"query": {"search": "a\x00"}}, "Expected `str` matching regex"),
    ({"query": {"search": "a" * 101}}, "Expected `str` of length <= 100"),
    ({"query": {"phase": "ended"}}, "Invalid enum value 'ended'"),
    ({"query": {"user": 1}}, "Object contains unknown field `user`"),
    ({"query": {}, "before": -1}, "Expected `float` >= 0"),
    ({"query": {}, "before": 1e300}, "Expected `float` <= "),
    ({"query": {}, "action": "delete"}, "Invalid enum value 'delete'"),
    ({"query": {}, "users": 1}, "Object contains unknown field `users`"),
]


class TestWhatIsAsked:
    @pytest.mark.parametrize(("body", "detail"), BAD)
    def test_what_is_no_selection_is_refused_by_name(self, operator: Operator, body: Any, detail: str):
        sign_in_many(1)
        asks = [COUNT, ACT] if isinstance(body, str | bytes) or "action" in body else [COUNT]
        whole = body if isinstance(body, str | bytes) else {"action": "end", "before": LATER} | body
        for path, sent in [*((path, body) for path in asks), (ACT, whole)]:
            response = operator.post(path, sent)
            assert response.status_code == 400, response.content
            assert detail in response.json()["detail"]
        assert len(live()) == 2

    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            ({"action": "end", "query": {}}, "Expected `before`"),
            ({"action": "end_users", "watches": ["x"]}, "Expected `before`"),
            ({"watches": ["x"]}, "missing required field `action`"),
            *(({**USERS, "cursor": cursor}, repr(cursor)) for cursor in ("nonsense", "x w1", f"{10**23} w1")),
        ],
    )
    def test_an_action_without_a_name_bounds_or_cursor_is_refused(self, operator: Operator, body: Any, detail: str):
        response = operator.post(ACT, body)
        assert response.status_code == 400
        assert detail in response.json()["detail"]

    @pytest.mark.parametrize("error", [Undecided(), OperationalError("gone"), NotRunning()])
    def test_what_cannot_be_done_now_is_to_be_tried_again(
        self, operator: Operator, monkeypatch: pytest.MonkeyPatch, error: Exception
    ):
        monkeypatch.setattr(selection.Selection, "count", mock.Mock(side_effect=error))
        response = operator.post(COUNT, ALL)
        assert response.status_code == 503
        assert "try again" in response.json()["detail"]
