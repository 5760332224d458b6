"""The records in Django's admin: who sees them and what they show; they cannot be changed."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import quote as percent_encoded

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import quote, unquote
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from idlewatch.admin.durations import in_words
from idlewatch.core.activity import Reason
from idlewatch.core.clock import as_datetime
from idlewatch.models import WatchedSession
from idlewatch.monitor import service as monitor
from tests.conftest import START, Time
from tests.support.watches import sign_in_many
from tests.unit.admin.operators import staff
from tests.unit.live.operators import FIREFOX

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/idlewatch/watchedsession/"


@pytest.fixture
def auditor(clock: Time) -> Client:
    return staff("view_watchedsession")


def ended(name: str = "ada", reason: Reason = Reason.LOGOUT, after: float = 60, **fields: Any) -> str:
    (watched,) = sign_in_many(1, name=name)
    monitor.end(watched.id, reason, START + after)
    WatchedSession.objects.filter(pk=watched.id).update(**fields)
    return watched.id


def page(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, (path, response)
    return unescape(response.content.decode())


def listed(client: Client, query: str = "") -> list[str]:
    """Return the ids of the records that a list shows, in its order."""
    found = map(unquote, re.findall(rf'<a href="{LIST}([\w-]+)/change/', page(client, f"{LIST}{query}")))
    # The operator's own is there as well.
    own = client.session["_idlewatch"]
    return [each for each in found if each != own]


def text_of(html: str) -> str:
    """Return what a page says between its main tags."""
    main = html[html.index("<main") : html.index("</main>")]
    return " ".join(re.sub(r"<[^>]*>", " ", main).split())


@pytest.mark.rule("R14")
@pytest.mark.parametrize(
    ("permissions", "flags", "expected"),
    [
        ((), {"is_staff": False}, 302),
        ((), {}, 403),
        (("end_watchedsession",), {}, 403),
        (("view_watchedsession",), {}, 200),
        ((), {"is_superuser": True}, 200),
    ],
)
def test_only_staff_who_may_view_see_the_records(
    clock: Time, permissions: tuple[str, ...], flags: dict[str, bool], expected: int
):
    watch_id = ended()
    client = staff(*permissions)
    User.objects.filter(username="op").update(**flags)
    for path in (LIST, f"{LIST}{watch_id}/change/", f"{LIST}{watch_id}/history/", f"{LIST}export/"):
        assert client.get(path).status_code == expected


@pytest.mark.rule("R14")
@pytest.mark.parametrize("path", ["add/", "{watch_id}/change/", "{watch_id}/delete/", ""])
def test_a_record_can_not_be_added_changed_or_deleted(clock: Time, path: str):
    watch_id = ended()
    before = WatchedSession.objects.filter(pk=watch_id).values().get()
    client = staff(is_superuser=True)
    body = {"username": "eve", "action": "delete_selected", "_selected_action": watch_id, "post": "yes"}
    client.post(LIST + path.format(watch_id=watch_id), body)
    assert WatchedSession.objects.filter(pk=watch_id).values().get() == before
    assert client.get(f"{LIST}add/").status_code == 403


class TestTheList:
    def test_shows_the_latest_first_each_with_what_became_of_it(self, auditor: Client):
        fields = {"user_agent": FIREFOX, "address": "10.0.0.9", "warnings": 3, "extensions": 2, "held_seconds": 75}
        watch_id = ended(reason=Reason.REVOKED, ended_by_name="op", **fields)
        html = page(auditor, LIST)
        row = next(each for each in html.split("<tr>") if watch_id in each)
        cells = [
            " ".join(re.sub(r"<[^>]*>", " ", each).split()) for each in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)
        ]
        assert cells == [
            "ada",
            "Firefox 128 on Linux",
            "10.0.0.9",
            *["March 17, 2030 12:46 p.m."] * 2,
            "March 17, 2030 12:47 p.m. revoked (op)",
            "3",
            "2",
        ]

    @pytest.mark.parametrize(("zone", "offered"), [("UTC", True), ("Europe/Berlin", False)])
    def test_offers_no_dates_where_the_database_has_no_time_zones(
        self, auditor: Client, settings: Any, monkeypatch: pytest.MonkeyPatch, zone: str, offered: bool
    ):
        """MariaDB has none until its tables are loaded, and then each of Django's own date lists answers 500."""
        ended()
        monkeypatch.setattr(type(connection.features), "has_zoneinfo_database", False)
        settings.TIME_ZONE = zone
        assert ("toplinks" in page(auditor, LIST)) is offered

    def test_counts_and_pages_so_far_and_offers_no_dates_of_what_would_take_seconds(
        self, auditor: Client, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("idlewatch.admin.records.MAX_COUNTED", 2)
        ended()
        assert "toplinks" in page(auditor, f"{LIST}?reason__exact=logout")
        ended(), ended()
        html = page(auditor, LIST)
        assert "2 session history" in text_of(html)
        assert "toplinks" not in html

    def test_sorts_a_long_list_by_what_has_an_index_alone(self, auditor: Client, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("idlewatch.admin.records.MAX_COUNTED", 2)
        ended()
        assert page(auditor, f"{LIST}?reason__exact=logout").count("sortable column-") == 7
        assert page(auditor, LIST).count("sortable column-") == 2

    def test_sorts_a_long_list_by_no_other_column_that_a_url_names(
        self, auditor: Client, monkeypatch: pytest.MonkeyPatch
    ):
        first, second = ended("bob"), ended("ada")
        assert listed(auditor, "?o=0") == [second, first]
        assert listed(auditor, "?o=-0") == [first, second]
        monkeypatch.setattr("idlewatch.admin.records.MAX_COUNTED", 2)
        assert listed(auditor, "?o=0") == listed(auditor, "?o=-0") == listed(auditor)
        assert "sorted ascending" not in page(auditor, f"{LIST}?o=0")
        assert "sorted ascending" in page(auditor, f"{LIST}?o=3")
        assert set(listed(auditor, "?o=99")) == set(listed(auditor, "?o=x")) == {first, second}

    def test_knows_by_the_reason_that_a_session_has_ended(self, auditor: Client):
        watch_id = ended()
        assert listed(auditor, "?reason__exact=logout&state=ended") == [watch_id]
        with CaptureQueriesContext(connection) as queries:
            assert listed(auditor, "?reason__exact=logout&state=live") == []
        assert not [query for query in queries if "'logout'" in query["sql"]]

    def test_counts_no_choices_beside_many_records(self, auditor: Client, monkeypatch: pytest.MonkeyPatch):
        ended()
        assert "Ended (1)" in text_of(page(auditor, f"{LIST}?_facets=True"))
        assert "_facets" in page(auditor, LIST)
        monkeypatch.setattr("idlewatch.admin.records.MAX_FACETED", 1)
        assert "Ended (1)" not in text_of(page(auditor, f"{LIST}?_facets=True"))
        assert "_facets" not in page(auditor, LIST)

    def test_lists_those_of_a_state_in_the_order_of_their_ends(self, auditor: Client):
        first, second = ended(after=90), ended("bob", after=60)
        assert listed(auditor, "?state=ended") == [first, second]

    def test_counts_what_each_filter_would_leave_by_conditions_alone(self, auditor: Client):
        """A subquery of all records would keep PostgreSQL busy for ever."""
        ended(), ended("bob", Reason.ACCOUNT)
        bob = User.objects.get(username="bob").pk
        with CaptureQueriesContext(connection) as queries:
            said = text_of(page(auditor, f"{LIST}?_facets=True&user={bob}"))
        assert "Live (0) Ended (1)" in said
        assert "bob (1)" in said
        counts = [query["sql"] for query in queries if "idlewatch_watchedsession" in query["sql"]]
        assert counts
        assert not [sql for sql in counts if "IN (SELECT" in sql]

    def test_is_filtered_by_state_reason_date_and_user_and_searched_by_name_address_and_user_agent(
        self, auditor: Client
    ):
        logged_out, idle = ended(), ended("bob", Reason.ACCOUNT, address="10.1.2.3", user_agent=FIREFOX)
        (lives,) = sign_in_many(1, name="eve")
        everything = {logged_out, idle, lives.id}
        for query, expected in {
            "": everything,
            "state=live": {lives.id},
            "state=ended": {logged_out, idle},
            "reason__exact=account": {idle},
            f"user={User.objects.get(username='bob').pk}": {idle},
            "started__year=2029": set(),
            "started__year=2030": everything,
            "started__gte=2026-01-01%2000:00:00%2B00:00": everything,
            "q=ada": {logged_out},
            "q=10.1.2": {idle},
            "q=firefox+bob": {idle},
            "q=firefox+eve": set(),
        }.items():
            assert set(listed(auditor, f"?{query}")) == expected, query

    @pytest.mark.parametrize("query", ["?user=nonsense", "?user=%00", f"?user={10**23}", "?state=x&nope=1"])
    @pytest.mark.parametrize("path", ["", "export/"])
    def test_filter_that_cannot_be_used_leads_back_to_the_list(self, auditor: Client, path: str, query: str):
        response = auditor.get(f"{LIST}{path}{query}")
        assert (response.status_code, response.url) == (302, f"{LIST}?e=1")
        assert auditor.get(response.url).status_code == 200

    def test_offers_no_list_of_users_to_filter_by(self, auditor: Client):
        User.objects.bulk_create(User(username=f"user{number:03}") for number in range(100))
        ended()
        assert "user050" not in page(auditor, LIST)

    def test_costs_no_more_queries_for_more_records(self, auditor: Client):
        ended(ended_by=User.objects.get(username="op"))
        with CaptureQueriesContext(connection) as few:
            page(auditor, LIST)
        for number in range(20):
            ended(f"user{number}", ended_by=User.objects.create_user(f"op{number}"))
        with CaptureQueriesContext(connection) as many:
            page(auditor, LIST)
        assert len(many) == len(few)

    def test_offers_the_export_of_what_it_shows(self, auditor: Client):
        assert f'href="{LIST}export/?q=ada&state=ended"' in page(auditor, f"{LIST}?q=ada&state=ended&p=1")
        assert f'href="{LIST}export/"' in page(auditor, LIST)


class TestARecord:
    def test_tells_the_timeline_of_a_session_in_words(self, auditor: Client):
        watch_id = ended(after=95, user_agent=FIREFOX, held_seconds=3700)
        told = text_of(page(auditor, f"{LIST}{watch_id}/change/"))
        for expected in (
            "Firefox 128 on Linux",
            FIREFOX,
            "Duration: 1 minute, 35 seconds",
            "Held: 1 hour, 1 minute",
            "Idle timeout: 1 minute, 40 seconds",
            "Absolute timeout: 16 minutes, 40 seconds",
            "signed out",
        ):
            assert expected.lower() in told.lower()

    def test_that_ended_by_a_clock_behind_the_one_it_began_by_has_no_duration(self, auditor: Client):
        watch_id = ended(ended=as_datetime(START - 3600))
        assert "Duration: 0 seconds" in text_of(page(auditor, f"{LIST}{watch_id}/change/"))

    def test_names_limits_that_there_are_not(self, auditor: Client):
        (watched,) = sign_in_many(1, absolute_timeout=None, close_grace=None, hold_limit=0.0)
        told = text_of(page(auditor, f"{LIST}{watched.id}/change/"))
        limits = (
            "Absolute timeout: no limit",
            "After the browser is closed: never",
            "Held open while idle: not allowed",
        )
        assert all(limit in told for limit in limits)

    @pytest.mark.parametrize(
        ("limits", "shown"), [({"idle_timeout": "soon"}, "soon"), (["idle_timeout"], "-"), (5, "-")]
    )
    def test_shows_limits_as_they_were_written_by_hand(self, auditor: Client, limits: object, shown: str):
        (watched,) = sign_in_many(1)
        WatchedSession.objects.update(limits=limits)
        assert f"Idle timeout: {shown}" in text_of(page(auditor, f"{LIST}{watched.id}/change/"))

    @pytest.mark.rule("R23")
    def test_shows_neither_key_nor_digest_nor_facts(self, auditor: Client):
        (watched,) = sign_in_many(1)
        html = page(auditor, f"{LIST}{watched.id}/change/").replace(watched.id, "")
        record = WatchedSession.objects.get(pk=watched.id)
        for secret in (watched.key, record.session_digest, record.auth_digest, "held_until", "digest"):
            assert secret
            assert secret not in html

    def test_tells_what_the_admins_log_says_of_it(self, auditor: Client):
        watch_id, other = ended(), ended()
        op = User.objects.get(username="op")
        for each, said in ((watch_id, "Ended <b>it</b>."), (other, "Something else.")):
            LogEntry.objects.log_actions(op.pk, WatchedSession.objects.filter(pk=each), CHANGE, said)
        told = unescape(text_of(auditor.get(f"{LIST}{watch_id}/change/").content.decode()))
        assert "op Ended <b>it</b>." in told
        assert "Something else." not in told
        assert "Ended <b>it</b>." in page(auditor, f"{LIST}{watch_id}/history/")
        assert "None." in page(auditor, f"{LIST}{ended()}/change/")

    @pytest.mark.parametrize("may_end", [True, False])
    def test_leads_to_the_live_page_while_it_lives_for_who_may_end_it(self, clock: Time, may_end: bool):
        client = staff("view_watchedsession", *(["end_watchedsession"] if may_end else []))
        (lives,) = sign_in_many(1)
        link = f'href="/admin/idlewatch/live/?q={lives.id}"'
        assert (link in page(client, f"{LIST}{lives.id}/change/")) == may_end
        assert link not in page(client, f"{LIST}{ended()}/change/")

    def test_leads_to_the_users_other_sessions(self, auditor: Client):
        watch_id = ended()
        user = WatchedSession.objects.get(pk=watch_id).user_id
        assert f'href="{LIST}?user={user}"' in page(auditor, f"{LIST}{watch_id}/change/")
        WatchedSession.objects.filter(pk=watch_id).update(user=None)
        assert "ada" in text_of(page(auditor, f"{LIST}{watch_id}/change/"))

    def test_of_a_probe_of_the_site_says_so(self, auditor: Client):
        (probe,) = sign_in_many(1, prefix="probe:")
        link = f"{LIST}{quote(probe.id)}/change/"
        assert f'<a href="{link}">' in page(auditor, LIST)
        assert "Check of this site" in text_of(page(auditor, LIST))
        # The live page does not quote as Django does.
        for path in (link, f"{LIST}{percent_encoded(probe.id, safe='')}/change/"):
            told = text_of(page(auditor, path))
            assert "Check of this site" in told
            assert probe.id in told
        monitor.end(probe.id, Reason.LOGOUT, START)
        assert "signed out" in text_of(page(auditor, link))

    def test_is_found_by_an_id_of_any_letters(self, clock: Time):
        client = staff("view_watchedsession", "end_watchedsession")
        (watched,) = sign_in_many(1)
        record = WatchedSession.objects.get(pk=watched.id)
        record.pk = watch_id = "-_41_5F"
        record.save(force_insert=True)
        LogEntry.objects.log_actions(record.user_id, [record], CHANGE, "Looked at.")
        html = page(client, f"{LIST}{quote(watch_id)}/change/")
        assert "Looked at." in html
        assert f"live/?q={watch_id}" in html
        assert listed(client, f"?q={watch_id}") == [watch_id]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 seconds"),
        (0.4, "0 seconds"),
        (1, "1 second"),
        (59.6, "1 minute"),
        (61, "1 minute, 1 second"),
        (3600, "1 hour"),
        (3605, "1 hour, 5 seconds"),
        (timedelta(days=3, hours=2, minutes=59).total_seconds(), "3 days, 2 hours"),
    ],
)
def test_spans_are_told_in_words(seconds: float, expected: str):
    assert in_words(seconds) == expected


@pytest.mark.parametrize(
    "query",
    [
        "user_agent__regex=(a%2B)%2B$",
        "facts__contains=x",
        "session_digest__startswith=5",
        "auth_digest=0",
        "user__password__startswith=p",
        "user__exact=99999999999999999999",
    ],
)
@pytest.mark.parametrize("path", ["", "export/"])
def test_no_address_filters_by_what_is_not_shown(auditor: Client, path: str, query: str):
    assert auditor.get(f"/admin/idlewatch/watchedsession/{path}?{query}").status_code == 400
