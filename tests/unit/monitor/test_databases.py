"""A site whose sessions are in another database than the default one: that is asked, and its commits count."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.serving import run_program

PROGRAM = """
import asyncio, json, django; django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from idlewatch import signals
from idlewatch.drafts import service as drafts
from idlewatch.monitor.store_lease import StoreLease
from idlewatch.ops import health
from idlewatch.signals import dispatcher
from idlewatch.drafts.models import Draft
from idlewatch.models import WatchedSession
from idlewatch.process import current_process, now

call_command("migrate", database="people", verbosity=0)
heard = []
def hear(signal, **_): heard.append(signal.name)
for signal in (signals.session_opened, signals.session_ended):
    signal.connect(hear)

def ada():
    return User.objects.get(username="ada")

def sign_in():
    client = Client()
    client.force_login(ada())
    return client

def delete():
    ada().delete()

def disable():
    user = ada()
    user.is_active = False
    user.save()

def sign_out():
    client.logout()

def adopt():
    # As one that was signed in before there was a watch.
    client.get("/private/")

def tried(act, commit):
    heard.clear()
    with transaction.atomic(using="people"):
        act()
        dispatcher.wait(10)
        within = list(heard)
        transaction.set_rollback(not commit, using="people")
    dispatcher.wait(10)
    live = WatchedSession.objects.filter(ended=None).count()
    return {"within": within, "after": list(heard), "live": live}

User.objects.create_user("ada", password="pw")
told = {}
for commit in (False, True):
    for act in (sign_in, sign_out, adopt, disable, delete):
        WatchedSession.objects.all().delete()
        user = User.objects.filter(username="ada").first() or User.objects.create_user("ada", password="pw")
        User.objects.update(is_active=True)
        client = None if act is sign_in else sign_in()
        if act is adopt:
            session = client.session
            WatchedSession.objects.all().delete()
            del session["_idlewatch"]
            session.save()
        dispatcher.wait(10)
        told[f"{act.__name__} {'committed' if commit else 'rolled back'}"] = tried(act, commit)

user = User.objects.create_user("bob", password="pw")
WatchedSession.objects.all().delete()
kept = drafts.put(user, "/private/", "f", Draft.Kind.DRAFT, drafts.Content([("note", "half")]), now())
told["kept"] = [kept, len(drafts.find(user, "/private/", now()))]
drafts.delete(user, "/private/", "f")
told["kept"].append(len(drafts.find(user, "/private/", now())))
told["failing"] = sorted(asyncio.run(health.failing_parts()))
told["owner"] = StoreLease(current_process()).renew(now()) is None
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """The signals of each change, before and after its transaction ended."""
    found: dict[str, Any] = run_program(PROGRAM, "tests.support.routed")
    return found


@pytest.mark.parametrize("change", ["sign_in", "adopt", "sign_out", "disable", "delete"])
def test_a_change_is_announced_when_it_is_committed_and_never_where_it_is_rolled_back(
    told: dict[str, Any], change: str
):
    begins = change in {"sign_in", "adopt"}
    assert told[f"{change} rolled back"] == {"within": [], "after": [], "live": int(not begins)}
    after = ["session_opened" if begins else "session_ended"]
    assert told[f"{change} committed"] == {"within": [], "after": after, "live": int(begins)}


def test_drafts_health_and_the_stores_owner_are_there_too(told: dict[str, Any]):
    assert told["kept"] == [True, 1, 0]
    assert "database" not in told["failing"]
    assert told["owner"] is True
