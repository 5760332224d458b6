"""A site whose environment has none of the extras: what they add is off, and nothing looks for them on each request."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from idlewatch.conf.extras import MODULES
from tests.support.serving import ROOT, clean_environment

PROGRAM = """
import asyncio, json, sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    asked = []

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            self.asked.append(name)
            raise ModuleNotFoundError(name)

EXTRAS = {*json.loads(sys.argv[1]), "autobahn", "twisted", "uvicorn", "hypercorn", "granian"}
from importlib import util
really = util.find_spec
util.find_spec = lambda name, *rest: None if name in EXTRAS else really(name, *rest)
sys.meta_path.insert(0, Absent())

import django
from django.conf import settings
settings.IDLEWATCH = {"METRICS_TOKEN": "0123456789abcdefghij"}
django.setup()
from django.core.management import CommandError, call_command
from django.test import Client
from django.test.utils import setup_test_environment
setup_test_environment()
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
User.objects.create_user("ann", password="secret")

browser = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0", "Accept": "text/html"}
seen, client = {}, Client(headers=browser)
seen["signed in"] = client.post("/login/", {"username": "ann", "password": "secret"}).status_code
import idlewatch.routing
before = list(Absent.asked)
page = client.get("/page/").content.decode()
seen["carries the client"] = "idlewatch-client" in page
seen["offers drafts"] = "&quot;drafts&quot;" in page
seen["drafts"] = client.get("/idlewatch/drafts/?page=/").status_code
token = {"Authorization": "Bearer 0123456789abcdefghij"}
seen["metrics"] = client.get("/metrics", headers=token).status_code
seen["unknown device"] = "Unknown device" in client.get("/idlewatch/sessions/").content.decode()
seen["looked for"] = Absent.asked[len(before):]
from idlewatch.http.user_agents import device_of
seen["devices"] = [device_of(each) for each in ("curl/8.5.0", "Mozilla/5.0 (X11) Firefox/128.0", "", "okhttp")]
try:
    call_command("runtimer", metrics="9464")
except CommandError as error:
    seen["runtimer"] = str(error)
try:
    call_command("idlewatch", "doctor")
except CommandError as error:
    seen["doctor"] = str(error)
from django.core import checks
seen["checks"] = sorted(each.id for each in checks.run_checks(tags=["idlewatch"]))
from idlewatch.models import WatchedSession
from idlewatch.monitor import service
from idlewatch.core.activity import Reason
from idlewatch.process import now
service.end(WatchedSession.objects.get(ended=None).pk, Reason.IDLE, now())
rejected = client.post("/note/", {"body": "a letter"})
seen["rejected form"] = [rejected.status_code, rejected.url.partition("?")[0]]
from idlewatch.drafts.models import Draft
seen["stored"] = Draft.objects.count()
seen["imported"] = sorted(EXTRAS & sys.modules.keys())
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    environment = clean_environment(DJANGO_SETTINGS_MODULE="tests.unit.without_extras_settings")
    program = [sys.executable, "-c", PROGRAM, json.dumps([*MODULES.values()])]
    done = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_sessions_are_watched(seen: dict[str, Any]):
    assert (seen["signed in"], seen["carries the client"]) == (302, True)
    assert seen["rejected form"] == [302, "/login/"]


def test_no_drafts_are_stored(seen: dict[str, Any]):
    assert (seen["offers drafts"], seen["drafts"], seen["stored"]) == (False, 404, 0)


def test_no_metrics_are_shown(seen: dict[str, Any]):
    assert seen["metrics"] == 404
    expected = "--metrics: the package 'prometheus-client' is not installed: pip install \"idlewatch[metrics]\""
    assert seen["runtimer"] == expected


def test_the_doctor_names_the_command_that_installs_it(seen: dict[str, Any]):
    assert seen["doctor"] == "The package 'websockets' is not installed: pip install \"idlewatch[doctor]\""


def test_devices_have_the_name_that_they_give_themselves(seen: dict[str, Any]):
    assert seen["unknown device"]
    assert seen["devices"] == ["curl 8", "Unknown device", "", "Unknown device"]


def test_a_check_names_each_extra_that_is_asked_for(seen: dict[str, Any]):
    assert seen["checks"] == ["idlewatch.W026", "idlewatch.W028", "idlewatch.W029"]


def test_requests_look_for_none_of_them(seen: dict[str, Any]):
    assert (seen["looked for"], seen["imported"]) == ([], [])
