"""A site whose router sends reads to a replica that lags: what a session is judged by is read from the primary."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.serving import run_program

PROGRAM = """
import asyncio, json, re, django; django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client, override_settings
from idlewatch.consumers.authentication import find_session
from idlewatch.drafts import service as drafts
from idlewatch.drafts.models import Draft
from idlewatch.models import WatchedSession
from idlewatch.monitor import accounts, django_sessions
from idlewatch.monitor.store_lease import StoreLease
from idlewatch.process import current_process, now
from idlewatch.runtime.runtime import runtime_of
from tests.support.replicated import catch_up

call_command("migrate", verbosity=0)
ann = User.objects.db_manager("default").create_user("ann", password="pw")
catch_up()

def sign_in():
    client = Client()
    client.post("/login/", {"username": "ann", "password": "pw"})
    return client

def key_of(client):
    return client.cookies["sessionid"].value

def status(client, path="/private/"):
    return client.get(path, headers={"Accept": "text/html"}).status_code

def fetch(client):
    return client.get("/private/", headers={"Sec-Fetch-Mode": "cors"}).headers["Idlewatch-Ended"]

async def examine():
    await runtime_of(current_process()).timer.round(now() + 40)

def journey():
    WatchedSession.objects.all().delete()
    first, second = sign_in(), sign_in()
    key = key_of(first)
    told = {"signed in": [status(first), status(second)]}
    told["socket"] = find_session(key)[0] is not None
    asyncio.run(examine())
    told["examined"] = [status(first), status(second)]
    page = first.get("/idlewatch/sessions/").content.decode()
    told["own sessions"] = len(re.findall('name="end"', page))
    first.post("/idlewatch/sessions/", {"others": "1"})
    told["others ended"] = fetch(second)
    catch_up()
    first.post("/logout/")
    if django_sessions.keeps_keys():
        told["row"] = sorted(django_sessions.standing([key]))
    first.cookies["sessionid"] = key
    told["old cookie"] = fetch(first)
    third = sign_in()
    User.objects.using("default").update(is_active=False)
    told["disabled"] = [accounts.is_usable(user) for user in accounts.by_primary_key([str(ann.pk)]).values()]
    User.objects.using("default").update(is_active=True)
    return told

told = {}
for engine in ("db", "cached_db", "cache"):
    with override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}"):
        told[engine] = journey()
content = drafts.Content([("note", "half")])
told["drafts"] = [drafts.put(ann, "/private/", "f", Draft.Kind.DRAFT, content, now())]
told["drafts"].append(len(drafts.find(ann, "/private/", now())))
told["owner"] = StoreLease(current_process()).renew(now()) is None
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What happened on that site."""
    found: dict[str, Any] = run_program(PROGRAM, "tests.support.replicated")
    return found


@pytest.mark.parametrize("engine", ["db", "cached_db", "cache"])
def test_sessions_are_judged_by_the_primary(told: dict[str, Any], engine: str):
    assert told[engine] == {
        "signed in": [200, 200],
        "socket": True,
        "examined": [200, 200],
        "own sessions": 1,
        "others ended": "revoked",
        "row": [],
        "old cookie": "logout",
        "disabled": [False],
    }


def test_drafts_and_the_lease_on_the_store_are_there_too(told: dict[str, Any]):
    assert told["drafts"] == [True, 1]
    assert told["owner"] is True
