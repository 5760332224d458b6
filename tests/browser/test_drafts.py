"""Nothing typed is lost: forms come back after signing in again, to their own user alone."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Response, Route, WebSocketRoute, expect

from tests.browser.conftest import connected
from tests.browser.visits import wait_for
from tests.support.browsing import sign_in
from tests.support.serving import Server, demo

pytestmark = [pytest.mark.server, pytest.mark.browser]

IDLE = 6.0
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
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"IDLE_TIMEOUT": IDLE, "WARN_BEFORE": 2.5, "CLOSE_GRACE": 60, "HEARTBEAT": 0.5}
    environ = {f"IDLEWATCH_{key}": str(value) for key, value in limits.items()}
    settings = "tests.browser.drafts_settings"
    with demo(tmp_path_factory.mktemp("drafts"), DJANGO_SETTINGS_MODULE=settings, **environ) as server:
        yield server


@pytest.fixture(scope="module")
def helper(server: Server) -> Iterator[Database]:
    database = Database(server)
    with database.process:
        yield database


@pytest.fixture(autouse=True)
def database(helper: Database) -> Database:
    helper.ask("empty")
    return helper


@pytest.fixture
def page(context: BrowserContext, server: Server) -> Page:
    """A tab that is signed in, at the letter."""
    page = context.new_page()
    sign_in(page, server.url(LETTER))
    connected(page)
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
        self, page: Page, server: Server, database: Database
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
        expect(page).to_have_url(server.url(LETTER))
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

    def test_the_page_s_scripts_hear_of_it(self, page: Page):
        page.fill("[name=subject]", "Half a letter")
        page.check("[name=sign]")
        page.reload()
        expect(status(page, RESTORED)).to_be_visible()
        heard = page.evaluate("window.heard")
        assert {"input subject", "change subject", "click sign", "input sign", "change sign"} <= set(heard)
        assert "input body" not in heard, "it did not change"

    def test_what_was_typed_in_the_last_moment_is_saved_too(self, page: Page):
        page.fill("[name=subject]", "Half a letter")
        page.reload()
        expect(page.locator("[name=subject]")).to_have_value("Half a letter")
        expect(status(page, RESTORED)).to_be_visible()

    def test_two_forms_of_a_page_are_kept_each(self, page: Page, database: Database):
        page.fill("[name=subject]", "Half a letter")
        page.fill("[name=answer]", "Half an answer")
        page.reload()
        expect(page.locator("[name=answer]")).to_have_value("Half an answer")
        expect(page.locator("[name=subject]")).to_have_value("Half a letter")
        expect(status(page, RESTORED)).to_have_count(1)
        assert sorted(form for _, form, _, _ in database.ask()) == ["letter", "reply"]

    def test_another_page_gets_nothing_of_it(self, page: Page, server: Server):
        with saving(page):
            page.fill("[name=subject]", "Half a letter")
        with asked(page):
            page.goto(server.url("/drafts/letter/?to=8"))
        page.wait_for_timeout(200)
        expect(page.locator("[name=subject]")).to_have_value("")

    def test_what_the_user_has_typed_meanwhile_stays(self, page: Page):
        page.fill("[name=subject]", "Half a letter")
        page.fill("[name=body]", "Old")
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/idlewatch/drafts/?*page=*", hold)
        page.reload()
        page.fill("[name=body]", "New")
        wait_for(page, lambda: held)
        held[0].continue_()
        expect(page.locator("[name=subject]")).to_have_value("Half a letter")
        expect(page.locator("[name=body]")).to_have_value("New")

    def test_a_form_that_comes_later_is_saved_and_restored(self, page: Page):
        page.evaluate("addLater()")
        with saving(page):
            page.fill("[name=note]", "Half a note")
        page.reload()
        page.wait_for_load_state("networkidle")
        page.evaluate("addLater()")
        expect(page.locator("[name=note]")).to_have_value("Half a note")

    def test_discarding_empties_the_form_and_deletes_the_draft(self, page: Page, database: Database):
        page.fill("[name=subject]", "Half a letter")
        page.reload()
        with saving(page):
            status(page, RESTORED).get_by_role("button", name="Discard").click()
        expect(page.locator("[name=subject]")).to_have_value("")
        expect(page.locator("[name=body]")).to_have_value("Dear Sir,")
        expect(status(page, RESTORED)).to_have_count(0)
        assert database.ask() == []

    def test_the_word_can_be_dismissed_and_what_was_typed_stays(self, page: Page, database: Database):
        page.fill("[name=subject]", "Half a letter")
        page.reload()
        status(page, RESTORED).get_by_role("button", name="Dismiss").click()
        expect(status(page, RESTORED)).to_have_count(0)
        expect(page.locator("[name=subject]")).to_have_value("Half a letter")
        assert len(database.ask()) == 1

    def test_nothing_is_sent_where_nothing_has_changed(self, page: Page):
        page.fill("[name=subject]", "Half a letter")
        page.reload()
        expect(status(page, RESTORED)).to_be_visible()
        posts: list[str] = []
        page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
        page.reload()
        expect(status(page, RESTORED)).to_be_visible()
        assert posts == []


class TestSending:
    def test_a_form_that_was_sent_is_forgotten(self, page: Page, server: Server, database: Database):
        with saving(page):
            page.fill("[name=subject]", "Half a letter")
        page.fill("[name=subject]", "A whole letter")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("A whole letter")).to_be_visible()
        with asked(page):
            page.goto(server.url(LETTER))
        page.wait_for_timeout(200)
        expect(page.locator("[name=subject]")).to_have_value("")
        assert database.ask() == []

    def test_one_that_a_script_takes_over_is_forgotten_when_the_script_says_so(self, page: Page, database: Database):
        with saving(page):
            page.fill("[name=subject]", "Half a letter")
        page.evaluate("takeOver()")
        page.get_by_role("button", name="Send").click()
        page.wait_for_timeout(200)
        assert len(database.ask()) == 1
        with saving(page):
            page.evaluate(
                "document.getElementById('letter').dispatchEvent(new Event('idlewatch:sent', {bubbles: true}))"
            )
        assert database.ask() == []

    def test_one_that_was_emptied_is_forgotten(self, page: Page, database: Database):
        with saving(page):
            page.fill("[name=subject]", "Half a letter")
        with saving(page):
            page.get_by_role("button", name="Empty").click()
        assert database.ask() == []


class TestOthers:
    def test_another_user_gets_nothing(self, page: Page, context: BrowserContext, server: Server, database: Database):
        with saving(page):
            page.fill("[name=subject]", "Half a letter")
        context.clear_cookies()
        with asked(page):
            sign_in(page, server.url(LETTER), "admin")
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
    def login(self, page: Page, server: Server) -> Page:
        """The login page to which such a form has led."""
        page.route("**/static/idlewatch/*.js", lambda route: route.abort())
        page.goto(server.url(PLAIN))
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
    def test_it_is_offered_back_after_signing_in_and_can_be_sent(self, login: Page, server: Server, database: Database):
        come_back(login)
        expect(login).to_have_url(server.url(PLAIN))
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
        login.goto(server.url(PLAIN))
        connected(login)
        expect(status(login, NOT_SENT)).to_have_count(0)

    def test_it_can_be_discarded(self, login: Page, database: Database):
        come_back(login)
        with saving(login):
            status(login, NOT_SENT).get_by_role("button", name="Discard").click()
        expect(status(login, NOT_SENT)).to_have_count(0)
        expect(login.locator("form[method=post] [name=subject]")).to_have_value("")
        assert database.ask() == []

    def test_another_user_is_offered_nothing(self, login: Page, server: Server, database: Database):
        come_back(login, "admin")
        expect(login).to_have_url(server.url(PLAIN))
        connected(login)
        login.wait_for_timeout(300)
        expect(status(login, NOT_SENT)).to_have_count(0)
        assert [(user, kind) for user, _, kind, _ in database.ask()] == [("demo", "refused")]

    def test_what_its_page_knew_to_be_private_is_not_kept(self, page: Page, server: Server, database: Database):
        heard = told_nothing_of_the_end(page)
        page.goto(server.url(PLAIN))
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

    def test_a_form_that_goes_through_gets_nothing_that_the_site_would_mind(self, page: Page, server: Server):
        page.goto(server.url(PLAIN))
        connected(page)
        page.fill("form[method=post] [name=subject]", "A whole letter")
        page.get_by_role("button", name="Send").click()
        sent = json.loads(page.locator("body").inner_text())
        assert sent["subject"] == ["A whole letter"]
        assert sent.pop("_idlewatch_private") == ["confirmation", "diagnosis"]
