"""Nothing typed is lost: forms come back after signing in again, to their own user alone."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Response, WebSocketRoute, expect

from tests.browser.visits import Limits, connected, visit, wait_for
from tests.support.browsing import sign_in
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]

IDLE = 6.0
LIMITS: Limits = {"IDLE_TIMEOUT": IDLE, "WARN_BEFORE": 2.5, "CLOSE_GRACE": 60, "HEARTBEAT": 0.5}
ENDED = IDLE * 1000 + 4000
LETTER = "/drafts/letter/?to=7"
PLAIN = "/drafts/plain/"
CARD = "4111 1111 1111 1111"
RESTORED = "What you had typed here was restored."
NOT_SENT = "Your form was not sent, because you had been signed out."
HELPER = """
import json, sys, django
django.setup()
from django.utils.timezone import now
from idlewatch.drafts.cipher import decrypt
from idlewatch.drafts.models import Draft
from idlewatch.models import WatchedSession
for line in sys.stdin:
    if line.strip() == "empty":
        Draft.objects.all().delete()
    elif line.strip() == "end":
        WatchedSession.objects.filter(ended=None).update(ended=now(), reason="idle")
    rows = [[row.user.username, row.form, row.kind, json.loads(decrypt(
        row.ciphertext, str(row.user_id), row.page_digest, row.form, row.kind))]
        for row in Draft.objects.order_by("pk")]
    print(json.dumps(rows), flush=True)
"""


class Database:
    """The server's, with its secret key: a process beside it looks into it."""

    def __init__(self, server: Server) -> None:
        command = [server.python, "-c", HELPER]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, cwd=server.cwd, env=server.environ, **pipes)

    def ask(self, what: str = "look") -> list[Any]:
        """Return what is kept, each with its user, form and kind, and with what was sealed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(what, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def helper(site: Server) -> Iterator[Database]:
    database = Database(site)
    with database.process:
        yield database


@pytest.fixture(autouse=True)
def database(helper: Database) -> Database:
    helper.ask("empty")
    return helper


@pytest.fixture
def page(context: BrowserContext, site: Server) -> Page:
    """A tab that is signed in, at the letter."""
    page, _ = visit(context, site.url(LETTER), LIMITS)
    return page


def is_saved(response: Response) -> bool:
    return response.url.split("?")[0].endswith("/idlewatch/drafts/") and response.request.method == "POST"


@contextmanager
def saving(page: Page) -> Iterator[None]:
    """Wait until the page has saved, or deleted, a draft."""
    with page.expect_response(is_saved) as response:
        yield
    assert response.value.ok


def come_back(page: Page, username: str = "demo") -> None:
    """Sign in on the page where the browser is."""
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", username)
    page.click("main button[type=submit]")


def status(page: Page, text: str):
    return page.get_by_role("status").filter(has_text=text)


def told_nothing_of_the_end(page: Page) -> list[str]:
    """Keep from the page's next sockets that the session has ended: the server alone knows then."""
    kept_back: list[str] = []

    def open_socket(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def hear(frame: str | bytes) -> None:
            if '"ended"' in str(frame):
                kept_back.append(str(frame))
            else:
                socket.send(frame)

        server.on_message(hear)
        server.on_close(lambda *_: None)

    page.route_web_socket(re.compile("/ws/idlewatch/tab/"), open_socket)
    return kept_back


def asked(page: Page):
    """Wait for the page to have been told what is kept of it."""
    return page.expect_response(lambda response: "/idlewatch/drafts/?" in response.url and "page=" in response.url)


class TestRestoring:
    @pytest.mark.rule("R32", "R33")
    def test_what_was_typed_is_there_again_after_the_end_and_a_new_sign_in(
        self, page: Page, site: Server, database: Database
    ):
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.post_data or ""))
        page.fill("[name=subject]", "Half a letter")
        page.fill("[name=body]", "Dear Sir,\nit is “late” 🙂")
        page.select_option("[name=kind]", "card")
        page.select_option("[name=copies]", ["a", "c"])
        page.uncheck("[name=urgent]")
        page.check("[name=sign]")
        page.check("[value=blue]")
        page.fill("[name=day]", "2026-02-03")
        page.locator("[name=line]").nth(1).fill("second")
        page.fill("[name=confirmation]", "hunter2")
        page.fill("[name=payment]", CARD)
        page.fill("[name=account]", CARD.replace(" ", "-"))
        with saving(page):
            page.fill("[name=diagnosis]", "a secret")
        page.get_by_role("link", name="Leave without saving").click(timeout=ENDED)
        come_back(page)
        expect(page).to_have_url(site.url(LETTER))
        expect(status(page, RESTORED)).to_be_visible()
        expect(page.locator("[name=subject]")).to_have_value("Half a letter")
        expect(page.locator("[name=body]")).to_have_value("Dear Sir,\nit is “late” 🙂")
        expect(page.locator("[name=kind]")).to_have_value("card")
        expect(page.locator("[name=copies]")).to_have_values(["a", "c"])
        expect(page.locator("[name=urgent]")).not_to_be_checked()
        expect(page.locator("[name=sign]")).to_be_checked()
        expect(page.locator("[value=blue]")).to_be_checked()
        expect(page.locator("[name=day]")).to_have_value("2026-02-03")
        assert [field.input_value() for field in page.locator("[name=line]").all()] == ["", "second"]
        for name in ("confirmation", "payment", "account", "diagnosis"):
            expect(page.locator(f"[name={name}]")).to_have_value("")
        [(user, form, kind, content)] = database.ask()
        assert (user, form, kind) == ("demo", "letter", "draft")
        kept = json.dumps(content)
        assert "Half a letter" in kept
        for secret in ("hunter2", "4111", "a secret"):
            assert secret not in kept
            assert secret not in "".join(sent)

    def test_two_forms_of_a_page_are_kept_each_and_one_may_be_discarded(self, page: Page, database: Database):
        page.fill("[name=subject]", "Half a letter")
        # What was typed in the last moment is saved too.
        page.fill("[name=answer]", "Half an answer")
        page.reload()
        expect(page.locator("[name=answer]")).to_have_value("Half an answer")
        expect(page.locator("[name=subject]")).to_have_value("Half a letter")
        expect(status(page, RESTORED)).to_have_count(1)
        assert sorted(form for _, form, _, _ in database.ask()) == ["letter", "reply"]
        with saving(page):
            status(page, RESTORED).get_by_role("button", name="Discard").click()
        expect(page.locator("[name=subject]")).to_have_value("")
        expect(page.locator("[name=body]")).to_have_value("Dear Sir,")
        expect(status(page, RESTORED)).to_have_count(0)
        wait_for(page, lambda: database.ask() == [])


class TestSending:
    def test_a_form_that_was_sent_is_forgotten(self, page: Page, site: Server, database: Database):
        with saving(page):
            page.fill("[name=subject]", "Half a letter")
        page.fill("[name=subject]", "A whole letter")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("A whole letter")).to_be_visible()
        with asked(page):
            page.goto(site.url(LETTER))
        page.wait_for_timeout(200)
        expect(page.locator("[name=subject]")).to_have_value("")
        assert database.ask() == []


class TestOthers:
    def test_another_page_and_another_user_get_nothing(
        self, page: Page, context: BrowserContext, site: Server, database: Database
    ):
        with saving(page):
            page.fill("[name=subject]", "Half a letter")
        with asked(page):
            page.goto(site.url("/drafts/letter/?to=8"))
        page.wait_for_timeout(200)
        expect(page.locator("[name=subject]")).to_have_value("")
        context.clear_cookies()
        with asked(page):
            sign_in(page, site.url(LETTER), "admin")
        page.wait_for_timeout(200)
        expect(page.locator("[name=subject]")).to_have_value("")
        expect(status(page, RESTORED)).to_have_count(0)
        page.fill("[name=subject]", "The admin's letter")
        page.reload()
        expect(page.locator("[name=subject]")).to_have_value("The admin's letter")
        assert [user for user, _, _, _ in database.ask()] == ["demo", "admin"]


class TestRefused:
    """A form that is sent after the end: the page's script is not there to cover it, or does not know yet."""

    @pytest.fixture
    def login(self, page: Page, site: Server) -> Page:
        """The login page to which such a form has led."""
        page.route("**/static/idlewatch/*.js", lambda route: route.abort())
        page.goto(site.url(PLAIN))
        page.fill("form[method=post] [name=subject]", "A whole letter")
        page.fill("[name=body]", "Dear Sir,\nhere it is.")
        page.uncheck("[name=urgent]")
        page.fill("[name=confirmation]", "hunter2")
        page.wait_for_timeout((IDLE + 0.5) * 1000)
        page.get_by_role("button", name="Send").click()
        expect(page).to_have_url(re.compile("/accounts/login/"))
        expect(page.get_by_text("because of inactivity")).to_be_visible()
        page.unroute_all()
        return page

    @pytest.mark.rule("R32")
    def test_it_is_offered_back_after_signing_in_and_can_be_sent(self, login: Page, site: Server, database: Database):
        come_back(login)
        expect(login).to_have_url(site.url(PLAIN))
        subject = login.locator("form[method=post] [name=subject]")
        note = status(login, NOT_SENT)
        expect(note).to_be_visible()
        expect(subject).to_have_value("")
        note.get_by_role("button", name="Restore").click()
        expect(subject).to_have_value("A whole letter")
        expect(subject).to_be_focused()
        expect(login.locator("[name=body]")).to_have_value("Dear Sir,\nhere it is.")
        expect(login.locator("[name=urgent]")).not_to_be_checked()
        expect(login.locator("[name=confirmation]")).to_have_value("")
        expect(login.locator("form[method=get] [name=subject]")).to_have_value("")
        expect(note).to_have_count(0)
        login.reload()
        expect(status(login, NOT_SENT)).to_be_visible()
        status(login, NOT_SENT).get_by_role("button", name="Restore").click()
        login.get_by_role("button", name="Send").click()
        expect(login.get_by_text("A whole letter")).to_be_visible()
        wait_for(login, lambda: database.ask() == [])
        login.goto(site.url(PLAIN))
        connected(login)
        expect(status(login, NOT_SENT)).to_have_count(0)

    def test_another_user_is_offered_nothing(self, login: Page, site: Server, database: Database):
        come_back(login, "admin")
        expect(login).to_have_url(site.url(PLAIN))
        connected(login)
        login.wait_for_timeout(300)
        expect(status(login, NOT_SENT)).to_have_count(0)
        assert [(user, kind) for user, _, kind, _ in database.ask()] == [("demo", "refused")]

    def test_what_its_page_knew_to_be_private_is_not_kept(self, page: Page, site: Server, database: Database):
        heard = told_nothing_of_the_end(page)
        page.goto(site.url(PLAIN))
        connected(page)
        page.route("**/idlewatch/**", lambda route: route.abort())
        page.fill("form[method=post] [name=subject]", "A whole letter")
        page.fill("[name=diagnosis]", "a secret")
        database.ask("end")
        wait_for(page, lambda: bool(heard))
        page.get_by_role("button", name="Send").click()
        expect(page).to_have_url(re.compile("/accounts/login/"))
        [(_, _, _, content)] = database.ask()
        assert content["fields"] == [["subject", "A whole letter"], ["body", ""], ["urgent", "on"]]
        page.unroute_all()
        come_back(page)
        status(page, NOT_SENT).get_by_role("button", name="Restore").click()
        expect(page.locator("form[method=post] [name=subject]")).to_have_value("A whole letter")
        expect(page.locator("[name=diagnosis]")).to_have_value("")
