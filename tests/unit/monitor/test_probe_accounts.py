"""Probes of accounts that are not Django's own: with a UUID as their key, and no user name."""

from __future__ import annotations

from tests.support.serving import run_program

PROGRAM = """
import json, os
from django.conf import settings
settings.AUTH_USER_MODEL = "people.Person"
settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.sites.people"]
settings.ROOT_URLCONF = "tests.support.http_site"
import django; django.setup()
from django.core.management import CommandError, call_command
from django.test import Client
from idlewatch.doctor.throwaway_account import throwaway_account
from idlewatch.management.doctor_options import options_of
from idlewatch.models import WatchedSession
from idlewatch.monitor import probes
from idlewatch.process import now
from tests.sites.people.models import Person

call_command("migrate", verbosity=0)
limits = probes.limits(idle_timeout=60, warn_before=10)
found = {}

def seen(client):
    return client.get("/open/", headers={"Sec-Fetch-Mode": "cors"}).json()["user"]

def tried(user):
    client = Client()
    with probes.probing(user, limits, now) as probe:
        client.cookies["sessionid"] = probe.cookies["sessionid"]
        inside = seen(client)
    return [inside, seen(client), WatchedSession.objects.get(pk=probe.watch_id).username]

Person.objects.create_superuser(email="ann@example.com", password="pw")
given = dict.fromkeys(["url", "path", "idle", "browser", "chromium"])
found["named"] = tried(options_of({**given, "user": "ann@example.com"}).user)
settings.DEBUG = True
with throwaway_account() as user:
    found["made"] = [each.partition("-")[0] for each in tried(user)]
found["left"] = Person.objects.count()
print(json.dumps(found))
"""


def test_they_are_found_by_what_they_sign_in_with():
    found = run_program(PROGRAM, "tests.support.settings")
    assert found["named"] == ["ann@example.com", "", "ann@example.com"]
    assert found["made"] == ["idlewatch", "", "idlewatch"]
    assert found["left"] == 1
