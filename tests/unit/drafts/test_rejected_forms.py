"""A form that is sent after the end reaches no view, and its fields are offered back to its user alone."""

from __future__ import annotations

import logging
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from idlewatch.core.activity import Reason
from idlewatch.drafts import cipher, rejected_forms
from idlewatch.drafts import service as drafts
from idlewatch.drafts.models import Draft
from idlewatch.monitor import service as monitor
from tests.conftest import START, Time
from tests.support.http import FETCH, HTMX, NAVIGATION, PASSWORD, Browser, record, restart_server, tick
from tests.unit.drafts.test_views import Broken, kept, load, post

pytestmark = pytest.mark.usefixtures("site")

FORM = "http://testserver/letters/new/?to=7"
PAGE = "/letters/new/?to=7"
ACTION = "/note/?draft=1"
SENT = {"subject": "A letter", "body": "Dear Sir,\nπ 🙂", "to": ["7", "8"]}
FIELDS = [["subject", "A letter"], ["body", "Dear Sir,\nπ 🙂"], ["to", "7"], ["to", "8"]]


@pytest.fixture
def page(browser: Browser, ann: User, clock: Time) -> Browser:
    """A page whose session has ended."""
    browser.sign_in(ann)
    clock.pass_(900)
    return browser


@pytest.fixture
def tab(browser: Browser, ann: User, clock: Time) -> Browser:
    """The same, for what does not depend on the interface."""
    browser.sign_in(ann)
    clock.pass_(900)
    return browser


def send(browser: Browser, data: Any = None, path: str = ACTION, **headers: str) -> Any:
    return browser.submit(path, SENT if data is None else data, **({"Referer": FORM} | headers))


def offered(browser: Browser, user: User, page: str = PAGE) -> list[Any]:
    browser.sign_in(user)
    return [each["fields"] for each in load(browser, page).json()["drafts"] if each["kind"] == "refused"]


def is_told(browser: Browser) -> bool:
    """Tell whether a page's client is told that there is something to ask for."""
    return "&quot;kept&quot;: true" in browser.visit("/page/").content.decode()


class TestOffer:
    @pytest.mark.rule("R32")
    def test_its_fields_are_kept_and_offered_after_signing_in_again(self, page: Browser, ann: User):
        response = send(page)
        assert (response.status_code, response.url) == (302, "/login/?next=/letters/new/%3Fto%3D7")
        page.sign_in(ann)
        assert is_told(page)
        [found] = load(page, PAGE).json()["drafts"]
        form = found.pop("form")
        assert found == {"kind": "refused", "saved": START + 900, "fields": FIELDS, "action": ACTION}
        post(page, {"page": PAGE, "form": form, "fields": None})
        assert kept(page, PAGE) == []
        page.sign_in(ann)
        assert not is_told(page)

    def test_the_view_never_gets_it(self, tab: Browser):
        from tests.support import http_site

        http_site.during.append(lambda request: pytest.fail("the view ran"))
        send(tab)

    @pytest.mark.parametrize("lost", ["ticked", "restarted", "flushed"])
    def test_also_when_the_record_alone_knows_whose_it_was(self, page: Browser, ann: User, clock: Time, lost: str):
        tick(clock)
        if lost == "restarted":
            restart_server()
        elif lost == "flushed":
            monitor.store().clear()
        send(page)
        assert offered(page, ann) == [FIELDS]

    def test_with_every_engine(self, engine: str, browser: Browser, ann: User, clock: Time):
        browser.sign_in(ann)
        clock.pass_(900)
        send(browser)
        assert offered(browser, ann) == [FIELDS]

    @pytest.mark.parametrize("reason", [Reason.CLOSED, Reason.ABSOLUTE])
    def test_whatever_clock_has_run_out(self, browser: Browser, ann: User, clock: Time, reason: Reason):
        browser.sign_in(ann)
        monitor.end(record().pk, reason, clock.now)
        send(browser)
        assert offered(browser, ann) == [FIELDS]

    def test_an_upload_loses_its_files_and_keeps_its_words(self, page: Browser, ann: User, settings: Any):
        settings.FILE_UPLOAD_HANDLERS = [f"{__name__}.NobodyUploads"]
        file = SimpleUploadedFile("letter.txt", b"all of it")
        send(page, {"subject": "A letter", "file": file, "body": "Dear Sir"})
        assert offered(page, ann) == [[["subject", "A letter"], ["body", "Dear Sir"]]]

    def test_a_form_that_htmx_sends_counts_too(self, tab: Browser, ann: User):
        response = tab.ask("post", ACTION, SENT, HTMX | {"HX-Current-URL": FORM})
        assert response.status_code == 401
        assert offered(tab, ann) == [FIELDS]

    def test_without_a_referer_it_waits_where_it_was_sent_to(self, tab: Browser, ann: User):
        tab.submit(ACTION, SENT)
        assert offered(tab, ann, ACTION) == [FIELDS]

    @pytest.mark.parametrize("headers", [{"Referer": "http://testserver/"}, {"Referer": "http://testserver"}])
    def test_nor_where_the_referer_names_the_site_alone(self, tab: Browser, ann: User, headers: dict[str, str]):
        send(tab, **headers)
        assert offered(tab, ann, ACTION) == [FIELDS]

    def test_htmx_tells_the_start_page_from_that(self, tab: Browser, ann: User):
        tab.ask("post", ACTION, SENT, HTMX | {"HX-Current-URL": "http://testserver/"})
        assert offered(tab, ann, "/") == [FIELDS]

    def test_sent_again_it_is_kept_once(self, browser: Browser, ann: User, clock: Time):
        for subject in ("first", "second"):
            browser.sign_in(ann)
            clock.pass_(900)
            send(browser, {"subject": subject})
        assert offered(browser, ann) == [[["subject", "second"]]]

    def test_two_forms_of_a_page_are_kept_both(self, browser: Browser, ann: User, clock: Time):
        for data in ({"subject": "one"}, {"word": "two"}):
            browser.sign_in(ann)
            clock.pass_(900)
            send(browser, data)
        assert sorted(offered(browser, ann)) == [[["subject", "one"]], [["word", "two"]]]

    def test_pages_do_not_ask_the_database_whether_there_is_any(self, tab: Browser, ann: User):
        send(tab)
        tab.sign_in(ann)
        with CaptureQueriesContext(connection) as queries:
            assert is_told(tab)
        assert not [query for query in queries if "idlewatch_draft" in query["sql"]]


class TestOthers:
    def test_another_user_is_offered_nothing(self, page: Browser, ann: User, bob: User):
        send(page)
        assert offered(page, bob) == []
        assert not is_told(page)
        assert offered(page, ann) == [FIELDS]

    def test_the_notice_does_not_outlast_a_change_of_user(self, tab: Browser, ann: User, bob: User):
        send(tab)
        tab.sign_in(ann)
        tab.sign_in(bob)
        assert not is_told(tab)

    def test_an_account_that_is_gone_keeps_nothing(self, tab: Browser, ann: User):
        ann.delete()
        assert send(tab).status_code == 302
        assert not Draft.objects.exists()

    def test_nobody_s_form_is_kept_for_nobody(self, browser: Browser):
        assert send(browser).status_code == 200
        browser.key = "a" * 32
        send(browser)
        assert not Draft.objects.exists()

    def test_the_words_of_one_are_not_kept_for_another(self, browser: Browser, ann: User, bob: User, clock: Time):
        browser.sign_in(ann)
        session = browser.client.session
        session[SESSION_KEY], session[HASH_SESSION_KEY] = str(bob.pk), bob.get_session_auth_hash()
        session.save()
        clock.pass_(900)
        send(browser)
        assert not Draft.objects.exists()

    def test_what_is_refused_pushes_out_no_draft(self, browser: Browser, ann: User, clock: Time):
        for number in range(20):
            drafts.save(ann, f"/{number}/", "letter", [("a", "b")], clock.now)
        browser.sign_in(ann)
        key = browser.key
        clock.pass_(890)
        browser.poll("/idlewatch/state/")
        clock.pass_(10)
        for number in range(8):
            clock.pass_(1)
            assert key
            browser.key = key
            send(browser, {f"field{number}": "x"})
        assert Draft.objects.filter(kind="draft").count() == 20
        assert offered(browser, ann) == [[[f"field{number}", "x"]] for number in (7, 6, 5, 4, 3)]


class TestForgery:
    """A page of another site must not put words into a form of this one."""

    @pytest.fixture
    def client(self, ann: User, clock: Time) -> Client:
        client = Client(enforce_csrf_checks=True)
        client.force_login(ann)
        client.get("/page/", headers=NAVIGATION)
        return client

    def send(self, client: Client, token: str | None, **headers: str) -> int:
        data = {"subject": "A letter"} | ({} if token is None else {"csrfmiddlewaretoken": token})
        return client.post(ACTION, data, headers=NAVIGATION | {"Referer": FORM} | headers).status_code

    def test_a_form_with_the_page_s_token_is_kept_without_it(self, client: Client, clock: Time):
        clock.pass_(900)
        assert self.send(client, client.cookies["csrftoken"].value) == 302
        [found] = drafts.find(User.objects.get(), PAGE, clock.now)
        assert found.fields == [("subject", "A letter")]

    def test_with_the_token_in_the_session_too(self, ann: User, clock: Time, settings: Any):
        settings.CSRF_USE_SESSIONS = True
        client = Client(enforce_csrf_checks=True)
        client.force_login(ann)
        client.get("/page/", headers=NAVIGATION)
        token = client.session["_csrftoken"]
        clock.pass_(900)
        assert self.send(client, token) == 302
        assert Draft.objects.count() == 1

    @pytest.mark.parametrize("token", [None, "0" * 64, "short"])
    def test_without_it_nothing_is_kept_and_the_answer_is_the_same(
        self, client: Client, clock: Time, token: str | None, caplog: pytest.LogCaptureFixture
    ):
        clock.pass_(900)
        assert self.send(client, token) == 302
        assert not Draft.objects.exists()
        assert caplog.records == []

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver:81"])
    def test_from_another_origin_nothing_is_kept(self, client: Client, clock: Time, origin: str):
        clock.pass_(900)
        assert self.send(client, client.cookies["csrftoken"].value, Origin=origin) == 302
        assert not Draft.objects.exists()

    def test_a_referer_of_another_site_leads_nowhere_else(self, client: Client, clock: Time):
        clock.pass_(900)
        self.send(client, client.cookies["csrftoken"].value, Referer="https://evil.example/letters/new/?to=7")
        assert drafts.find(User.objects.get(), PAGE, clock.now) == []


class TestNever:
    def none_is_kept(self) -> bool:
        return not Draft.objects.exists()

    def test_of_a_form_that_signs_in(self, tab: Browser):
        tab.submit("/login/", {"username": "ann", "password": "wrong", "note": "x"})
        tab.submit("/keep-me/", {"username": "ann", "password": PASSWORD, "note": "x"})
        assert self.none_is_kept()

    def test_where_the_site_keeps_none(self, tab: Browser, settings: Any):
        settings.IDLEWATCH = {"DRAFT_AGE": 0}
        assert send(tab).status_code == 302
        assert self.none_is_kept()

    def test_of_a_session_that_lives(self, browser: Browser, ann: User):
        browser.sign_in(ann)
        assert send(browser).status_code == 200
        assert self.none_is_kept()

    @pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.IDLE, Reason.ABSOLUTE, Reason.CLOSED}))
    def test_of_a_session_that_somebody_ended(self, browser: Browser, ann: User, clock: Time, reason: Reason):
        browser.sign_in(ann)
        monitor.end(record().pk, reason, clock.now)
        assert send(browser).status_code == 302
        assert self.none_is_kept()

    @pytest.mark.parametrize("recorded", [False, True])
    def test_of_a_session_that_is_long_over(self, browser: Browser, ann: User, clock: Time, recorded: bool):
        browser.sign_in(ann)
        key = browser.key
        assert key
        clock.pass_(900 + 3600)
        if recorded:
            tick(clock)
        send(browser)
        assert offered(browser, ann) == [FIELDS]
        Draft.objects.all().delete()
        clock.pass_(1)
        browser.key = key
        assert send(browser).status_code == 302
        assert self.none_is_kept()

    def test_of_a_key_that_was_replaced_before_the_end(self, browser: Browser, ann: User, clock: Time):
        browser.sign_in(ann)
        key = browser.key
        assert key
        browser.visit("/rotate/")
        clock.pass_(900)
        tick(clock)
        browser.key = key
        assert send(browser).status_code == 302
        assert self.none_is_kept()

    def test_of_what_a_script_sends(self, tab: Browser):
        assert tab.ask("post", ACTION, SENT, FETCH).status_code == 401
        assert self.none_is_kept()

    @pytest.mark.parametrize("method", ["put", "patch", "delete"])
    def test_of_what_no_form_can_send(self, tab: Browser, method: str):
        kind = "application/x-www-form-urlencoded"
        assert tab.ask(method, ACTION, "subject=A", NAVIGATION, content_type=kind).status_code == 302
        assert self.none_is_kept()

    @pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
    def test_of_what_is_no_form(self, tab: Browser, kind: str):
        assert tab.ask("post", ACTION, b"subject=A", NAVIGATION, content_type=kind).status_code == 302
        assert self.none_is_kept()

    def test_of_what_is_private(self, tab: Browser, ann: User):
        private = {
            "password": "hunter2",
            "number": "4111 1111 1111 1111",
            "diagnosis": "a secret",
            "_idlewatch_private": ["diagnosis", "other"],
        }
        send(tab, {"subject": "A letter"} | private)
        assert offered(tab, ann) == [[["subject", "A letter"]]]

    def test_of_a_form_that_is_private_throughout(self, tab: Browser):
        send(tab, {"password": "hunter2"})
        assert self.none_is_kept()

    @pytest.mark.parametrize(
        "data",
        [{"body": "x" * 70_000}, {f"field{number}": "" for number in range(201)}, {"body": "x" * 3_000_000}],
        ids=["large", "many", "beyond what Django reads"],
    )
    def test_of_more_than_may_be(self, tab: Browser, data: dict[str, str]):
        assert send(tab, data).status_code == 302
        assert self.none_is_kept()


class TestReading:
    """Whoever has a stale cookie, or plays a browser, must cost little, and break nothing."""

    @pytest.mark.parametrize("length", ["1048577", "200000000", "", "-1", "x"])
    @pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
    def test_of_more_than_a_form_is_nothing_is_read(self, tab: Browser, kind: str, length: str):
        body = Unread()
        tab.client.generic(
            "POST", ACTION, headers=NAVIGATION, CONTENT_TYPE=kind, CONTENT_LENGTH=length, **{"wsgi.input": body}
        )
        assert not body.was_read
        assert not Draft.objects.exists()

    @pytest.mark.parametrize("is_upload", [False, True])
    def test_a_site_s_own_answer_finds_it_unread(self, page: Browser, ann: User, settings: Any, is_upload: bool):
        settings.IDLEWATCH = {"ENDED_RESPONSE": f"{__name__}.reading_answer"}
        file = SimpleUploadedFile("letter.txt", b"all of it")
        data = {"subject": "A letter", "file": file} if is_upload else {"subject": "A letter"}
        kind = {} if is_upload else {"content_type": "application/x-www-form-urlencoded"}
        sent = data if is_upload else "subject=A+letter"
        response = page.ask("post", ACTION, sent, NAVIGATION | {"Referer": FORM}, **kind)
        assert response.json() == {"subject": "A letter", "files": ["file"] if is_upload else [], "read": True}
        assert offered(page, ann) == [[["subject", "A letter"]]]

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            ("&".join(f"a{number}=1" for number in range(1100)), "application/x-www-form-urlencoded"),
            ("a=b", "multipart/form-data"),
            ("a=b", "application/x-www-form-urlencoded; charset=latin-1"),
            (
                "".join(
                    f'--x\r\nContent-Disposition: form-data; name="f{number}"; filename="f"\r\n\r\nq\r\n'
                    for number in range(120)
                )
                + "--x--\r\n",
                "multipart/form-data; boundary=x",
            ),
        ],
        ids=["fields", "boundary", "charset", "files"],
    )
    def test_noise_makes_none_in_the_log(self, tab: Browser, caplog: pytest.LogCaptureFixture, body: str, kind: str):
        caplog.set_level(logging.INFO, "idlewatch")
        tab.client.cookies["csrftoken"] = "a" * 32
        assert tab.ask("post", ACTION, body, NAVIGATION | {"Referer": FORM}, content_type=kind).status_code == 302
        told = [line for line in caplog.records if line.name == "idlewatch"]
        lines = [line for line in told if not line.getMessage().startswith("session_ended ")]
        assert [(line.levelname, line.exc_info) for line in lines] == [("INFO", None)]
        assert lines[0].getMessage().startswith("A rejected form is not stored: ")
        assert not Draft.objects.exists()

    def test_a_connection_that_breaks_is_no_error(self, tab: Browser, caplog: pytest.LogCaptureFixture):
        kind = "application/x-www-form-urlencoded"
        sent = {"CONTENT_TYPE": kind, "CONTENT_LENGTH": "3", "wsgi.input": Broken()}
        assert tab.client.generic("POST", ACTION, headers=NAVIGATION, **sent).status_code == 302
        assert [line for line in caplog.records if line.levelno >= logging.WARNING] == []

    def test_an_address_is_bounded_too(self, tab: Browser):
        assert send(tab, path="/note/?" + "x" * 2042).status_code == 302
        assert not Draft.objects.exists()
        assert cipher.MAX_PAGE_LENGTH == 2048


class TestSigningIn:
    def test_it_goes_on_where_nobody_can_tell_what_was_refused(
        self, browser: Browser, ann: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        monkeypatch.setattr(drafts, "has_rejected_form", fail)
        assert browser.sign_in(ann).status_code == 302
        assert browser.visit("/closed/").status_code == 200
        assert not is_told(browser)
        [line] = [line for line in caplog.records if line.levelno >= logging.ERROR]
        assert line.getMessage() == "Looking up rejected forms failed (gone): pages don't ask for them."

    def test_asking_saves_no_session_over_what_another_request_wrote(
        self, tab: Browser, ann: User, monkeypatch: pytest.MonkeyPatch
    ):
        send(tab)
        tab.sign_in(ann)
        [found] = load(tab, PAGE).json()["drafts"]
        really = drafts.delete

        def delete(*given: Any) -> None:
            session = tab.client.session
            session["cart"] = "full"
            session.save()
            really(*given)

        monkeypatch.setattr(drafts, "delete", delete)
        post(tab, {"page": PAGE, "form": found["form"], "fields": None})
        assert kept(tab, PAGE) == []
        assert tab.client.session["cart"] == "full"


class TestFailure:
    @pytest.mark.parametrize(
        "failing", [(drafts, "put"), (rejected_forms, "_user_of"), (rejected_forms, "_passes_csrf_check")]
    )
    def test_it_changes_no_answer(
        self,
        page: Browser,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        failing: tuple[Any, str],
    ):
        monkeypatch.setattr(*failing, fail)
        assert send(page).status_code == 302
        [line] = [line for line in caplog.records if line.levelno >= logging.ERROR]
        assert line.getMessage() == "A rejected form could not be stored."

    @pytest.mark.parametrize("body", [b"--x\r\nbroken", b"", b"--x--"])
    def test_a_form_that_is_broken_is_answered_all_the_same(self, tab: Browser, body: bytes):
        kind = "multipart/form-data; boundary=x"
        assert tab.ask("post", ACTION, body, NAVIGATION, content_type=kind).status_code == 302
        assert tab.ask("post", ACTION, body, NAVIGATION, content_type="multipart/form-data").status_code in {302, 200}
        assert not Draft.objects.exists()

    def test_a_site_s_own_answer_goes_out(self, tab: Browser, ann: User, settings: Any):
        settings.IDLEWATCH = {"ENDED_RESPONSE": f"{__name__}.own_answer"}
        assert send(tab).status_code == 418
        assert offered(tab, ann) == [FIELDS]


def fail(*_: object) -> None:
    raise DatabaseError("gone")


class Unread(BytesIO):
    was_read = False

    def read(self, *_: Any) -> bytes:
        self.was_read = True
        return b""

    readline = read


class NobodyUploads(FileUploadHandler):
    def new_file(self, *_: Any, **__: Any) -> None:
        raise AssertionError("a file of nobody was taken in")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None: ...

    def file_complete(self, file_size: int) -> None: ...


def reading_answer(request: Any, ended: Any) -> Any:
    from django.http import JsonResponse

    read = b"A letter" in request.body or b"A+letter" in request.body
    return JsonResponse({"subject": request.POST["subject"], "files": sorted(request.FILES), "read": read})


def own_answer(request: Any, ended: Any) -> Any:
    from django.http import HttpResponse

    return HttpResponse(status=418)
