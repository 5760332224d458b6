from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import translation

from idlewatch.admin.live_strings import PLURAL_PERIOD, PLURALS, STRINGS, plurals
from idlewatch.core.protocol import LIVE_PATH
from idlewatch.models import WatchedSession
from tests.support.serving import ROOT
from tests.unit.admin.operators import staff

pytestmark = pytest.mark.django_db

MODULES = ROOT / "static" / "idlewatch" / "live"
SCRIPTS = "\n".join(path.read_text() for path in MODULES.glob("*.js"))


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="pw"))
    return client


def page(client: Client) -> str:
    response = client.get(reverse("admin:idlewatch_live_changelist"))
    assert response.status_code == 200
    return response.content.decode()


def config(text: str) -> dict:
    [found] = re.findall(r'id="live-sessions".*? data-config="([^"]*)"', text)
    return json.loads(html.unescape(found))


@pytest.mark.rule("R27")
def test_it_stands_inside_the_admin_and_nothing_in_it_inline(operator: Client):
    text = page(operator)
    assert reverse("admin:idlewatch_live_changelist") == "/admin/idlewatch/live/"
    assert "<h1>Live sessions</h1>" in text
    crumbs = re.sub(r"<[^>]+>|\s+", " ", re.search(r'<div class="breadcrumbs">(.+?)</div>', text, re.DOTALL)[1])
    assert crumbs.split("&rsaquo;")[-1].strip() == "Live sessions"
    assert 'id="idlewatch-client"' in text, "operators are warned too"
    assert "<noscript>" in text
    inside = text[text.index('id="live-sessions"') : text.index('id="footer"')]
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script", inside)


def test_it_needs_the_permission_to_view_and_has_nothing_to_edit():
    unpermitted = staff()
    assert unpermitted.get("/admin/idlewatch/live/").status_code == 403
    assert "/admin/idlewatch/live/" not in unpermitted.get("/admin/").content.decode()
    assert Client().get("/admin/idlewatch/live/").status_code == 302
    assert "/admin/idlewatch/live/" in staff("view_watchedsession").get("/admin/").content.decode()
    for name in ("add", "change", "delete", "history"):
        with pytest.raises(NoReverseMatch):
            reverse(f"admin:idlewatch_live_{name}", args=["x"])


def test_actions_and_links_to_accounts_are_there_only_for_those_permitted(operator: Client, settings: Any):
    settings.TIME_ZONE = "Asia/Tokyo"
    text = page(staff("view_watchedsession"))
    assert config(text).items() >= {"count": None, "act": None, "account": None}.items()
    assert "data-action" not in text
    assert "<dialog class" not in text.split('id="live-sessions"')[1].split("idlewatch-client")[0]
    for client in (operator, staff("view_watchedsession", "end_watchedsession")):
        text = page(client)
        assert config(text)["act"] == "/admin/idlewatch/live/act/"
        assert config(text)["count"] == "/admin/idlewatch/live/count/"
        assert set(re.findall(r'data-action="(\w+)"', text)) == {"end", "end_users", "notice"}
    given = config(page(operator))
    assert given["account"] == "/admin/auth/user/?username__exact="
    assert given["socket"] == LIVE_PATH
    assert given["csrfHeader"].lower() == "x-csrftoken"
    assert given["record"] == "/admin/idlewatch/watchedsession/0/change/"
    assert given["present"] == WatchedSession.objects.get(username="root").pk
    assert given["zone"] == "Asia/Tokyo"


def test_no_session_is_in_the_page_itself(operator: Client):
    ada = Client()
    ada.force_login(User.objects.create_user("ada-lovelace", password="pw"))
    watch_id = WatchedSession.objects.get(username="ada-lovelace").pk
    text = page(operator)
    for secret in (operator.session.session_key, ada.session.session_key, watch_id, "ada-lovelace"):
        assert secret not in text


def test_the_sentences_are_those_that_the_script_uses():
    used = set(re.findall(r'\.text\(\s*"(\w+)"', SCRIPTS)) | set(re.findall(r'\.text\(.+? \? "(\w+)" : "\w+"', SCRIPTS))
    used |= set(re.findall(r'\.text\(.+? \? "\w+" : "(\w+)"', SCRIPTS))
    assert len(used) > 15
    assert used <= STRINGS.keys()
    counted = set(re.findall(r'\.plural\("(\w+)"', SCRIPTS))
    assert counted - {"count"} <= PLURALS.keys()
    unused = [name for name in (*STRINGS, *PLURALS) if not re.search(rf'["`]{name}["`]|\b{name}:', SCRIPTS)]
    assert unused == []


def test_every_part_that_the_script_names_is_in_the_template():
    template = (ROOT / "idlewatch" / "templates" / "admin" / "idlewatch" / "live.html").read_text()
    named = set(re.findall(r'(?:partOf|setPartText)\([\w.]+, "([\w-]+)"', SCRIPTS))
    assert len(named) > 25
    assert named <= set(re.findall(r'data-idlewatch-part="([\w-]+)"', template))


@pytest.mark.parametrize("language", ["en", "de", "pl", "ar", "fr", "ja"])
def test_each_number_has_the_form_that_the_catalogue_gives_it(language: str):
    with translation.override(language):
        plurals.cache_clear()
        told = plurals(language)
        for name, sentence in PLURALS.items():
            forms, which = told[name]["forms"], told[name]["which"]
            # As the page's script has it.
            for number in [*range(PLURAL_PERIOD), 1_000, 1_001, 10_011, 10_021, 23_122]:
                place = number if number < PLURAL_PERIOD else 100 + number % 100
                assert forms[int(which[place])] == str(sentence % {"n": number}), (name, number)
    plurals.cache_clear()
