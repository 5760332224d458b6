"""A form that is sent after the end reaches no view, and its fields are offered back to its user alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.test import Client
from django.test.utils import CaptureQueriesContext

from idlewatch.core.activity import Reason
from idlewatch.drafts import rejected_forms
from idlewatch.drafts import service as drafts
from idlewatch.drafts.models import Draft
from idlewatch.monitor import service as monitor
from tests.conftest import START, Time
from tests.support import http_site
from tests.support.http import FETCH, HTMX, NAVIGATION, PASSWORD, Browser, record, restart_server, tick
from tests.support.probes import probing
from tests.unit.drafts.test_views import load, post

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


def send(browser: Browser, data: Any = None, path: str = ACTION, **headers: str) -> Any:
    return browser.submit(path, SENT if data is None else data, **({"Referer": FORM} | headers))


def offered(browser: Browser, user: User, page: str = PAGE) -> list[Any]:
    browser.sign_in(user)
    return [each["fields"] for each in load(browser, page).json()["drafts"] if each["kind"] == "refused"]


def is_announced(browser: Browser) -> bool:
    """Return whether a page's configuration announces a form."""
    return "&quot;kept&quot;: true" in browser.visit("/page/").content.decode()


class TestOffer:
    @pytest.mark.rule("R32")
    def test_its_fields_are_kept_and_offered_after_signing_in_again(self, page: Browser, ann: User):
        http_site.during.append(lambda _: pytest.fail("the view ran"))
        response = send(page, path=ACTION)
        assert (response.status_code, response.url) == (302, "/login/?next=/letters/new/%3Fto%3D7")
        page.sign_in(ann)
        assert is_announced(page)
        [found] = load(page, PAGE).json()["drafts"]
        form = found.pop("form")
        assert found == {"kind": "refused", "saved": START + 900, "fields": FIELDS, "action": ACTION}
        post(page, {"page": PAGE, "form": form, "fields": None})
        assert load(page, PAGE).json() == {"drafts": []}
        page.sign_in(ann)
        assert not is_announced(page)

    @pytest.mark.parametrize("is_restarted", [False, True])
    def test_also_when_only_the_record_identifies_its_user(
        self, page: Browser, ann: User, clock: Time, is_restarted: bool
    ):
        tick(clock)
        if is_restarted:
            restart_server()
        send(page)
        assert offered(page, ann) == [FIELDS]

    def test_with_every_engine(self, engine: str, browser: Browser, ann: User, clock: Time):
        browser.sign_in(ann)
        clock.pass_(900)
        send(browser)
        assert offered(browser, ann) == [FIELDS]

    @pytest.mark.parametrize("reason", Reason)
    def test_only_after_an_end_that_may_overtake_a_user(self, browser: Browser, ann: User, clock: Time, reason: Reason):
        browser.sign_in(ann)
        monitor.end(record().pk, reason, clock.now)
        assert send(browser).status_code == 302
        assert Draft.objects.exists() is (reason in {Reason.IDLE, Reason.ABSOLUTE, Reason.CLOSED})

    @pytest.mark.parametrize("is_restarted", [False, True])
    def test_not_after_that_of_a_probe(self, ann: User, clock: Time, is_restarted: bool):
        browser, _ = probing(ann, clock)
        clock.pass_(120)
        tick(clock)
        if is_restarted:
            restart_server()
        assert send(browser).status_code == 302
        assert not Draft.objects.exists()

    def test_also_where_another_middleware_has_read_the_form(
        self, browser: Browser, ann: User, clock: Time, settings: Any
    ):
        settings.MIDDLEWARE = [f"{__name__}.read_form", *settings.MIDDLEWARE]
        browser.sign_in(ann)
        clock.pass_(900)
        send(browser)
        assert offered(browser, ann) == [FIELDS]

    def test_an_upload_loses_its_files_and_keeps_its_words(self, page: Browser, ann: User, settings: Any):
        settings.FILE_UPLOAD_HANDLERS = [f"{__name__}.NoUploads"]
        file = SimpleUploadedFile("letter.txt", b"all of it")
        send(page, {"subject": "A letter", "file": file, "body": "Dear Sir"})
        assert offered(page, ann) == [[["subject", "A letter"], ["body", "Dear Sir"]]]

    @pytest.mark.parametrize(
        ("url", "page_path"), [(FORM, PAGE), ("http://testserver/", "/")], ids=["in full", "the start page"]
    )
    def test_a_form_that_htmx_sends_counts_too(self, page: Browser, ann: User, url: str, page_path: str):
        response = page.ask("post", ACTION, SENT, HTMX | {"HX-Current-URL": url})
        assert response.status_code == 401
        assert offered(page, ann, page_path) == [FIELDS]

    @pytest.mark.parametrize("headers", [{}, {"Referer": "http://testserver/"}, {"Referer": "http://testserver"}])
    def test_without_the_path_of_its_page_it_waits_where_it_was_sent_to(
        self, page: Browser, ann: User, headers: dict[str, str]
    ):
        page.submit(ACTION, SENT, **headers)
        assert offered(page, ann, ACTION) == [FIELDS]

    def test_one_copy_of_each_form_is_kept(self, browser: Browser, ann: User, clock: Time):
        for data in ({"subject": "first"}, {"subject": "second"}, {"word": "other"}):
            browser.sign_in(ann)
            clock.pass_(900)
            send(browser, data)
        assert sorted(offered(browser, ann)) == [[["subject", "second"]], [["word", "other"]]]

    def test_pages_do_not_ask_the_database_whether_there_is_any(self, page: Browser, ann: User):
        send(page)
        page.sign_in(ann)
        with CaptureQueriesContext(connection) as queries:
            assert is_announced(page)
        assert not [query for query in queries if "idlewatch_draft" in query["sql"]]


class TestOthers:
    def test_another_user_is_offered_nothing(self, page: Browser, ann: User, bob: User):
        send(page)
        assert offered(page, bob) == []
        assert not is_announced(page)
        assert offered(page, ann) == [FIELDS]
        assert is_announced(page)
        page.sign_in(bob)
        assert not is_announced(page)

    def test_an_account_that_is_gone_keeps_nothing(self, page: Browser, ann: User):
        ann.delete()
        assert send(page).status_code == 302
        assert not Draft.objects.exists()

    def test_an_anonymous_form_is_not_kept(self, browser: Browser):
        assert send(browser).status_code == 200
        browser.key = "a" * 32
        send(browser)
        assert not Draft.objects.exists()

    def test_a_session_whose_data_name_another_user_keeps_nothing(
        self, browser: Browser, ann: User, bob: User, clock: Time
    ):
        browser.sign_in(ann)
        session = browser.client.session
        session[SESSION_KEY], session[HASH_SESSION_KEY] = str(bob.pk), bob.get_session_auth_hash()
        session.save()
        clock.pass_(900)
        send(browser)
        assert not Draft.objects.exists()


class TestForgery:
    """A page of another site must not put words into a form of this one."""

    def signed_in(self, user: User) -> Client:
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        client.get("/page/", headers=NAVIGATION)
        return client

    def send(self, client: Client, token: str | None, **headers: str) -> int:
        data = {"subject": "A letter"} | ({} if token is None else {"csrfmiddlewaretoken": token})
        return client.post(ACTION, data, headers=NAVIGATION | {"Referer": FORM} | headers).status_code

    @pytest.mark.parametrize("in_session", [False, True])
    def test_a_form_with_the_page_s_token_is_kept_without_it(
        self, ann: User, clock: Time, settings: Any, in_session: bool
    ):
        settings.CSRF_USE_SESSIONS = in_session
        client = self.signed_in(ann)
        token = client.session["_csrftoken"] if in_session else client.cookies["csrftoken"].value
        clock.pass_(900)
        assert self.send(client, token) == 302
        [found] = drafts.find(ann, PAGE, clock.now)
        assert found.fields == [("subject", "A letter")]

    @pytest.mark.parametrize(
        ("token", "headers"),
        [
            (None, {}),
            ("0" * 64, {}),
            ("short", {}),
            ("", {"Origin": "https://evil.example"}),
            ("", {"Origin": "null"}),
            ("", {"Origin": "http://testserver:81"}),
        ],
    )
    def test_without_it_or_from_another_origin_nothing_is_kept_and_the_answer_is_the_same(
        self, ann: User, clock: Time, token: str | None, headers: dict[str, str], caplog: pytest.LogCaptureFixture
    ):
        client = self.signed_in(ann)
        clock.pass_(900)
        sent = client.cookies["csrftoken"].value if token == "" else token
        assert self.send(client, sent, **headers) == 302
        assert not Draft.objects.exists()
        assert caplog.records == []

    def test_a_referer_of_another_site_leads_nowhere_else(self, ann: User, clock: Time):
        client = self.signed_in(ann)
        clock.pass_(900)
        self.send(client, client.cookies["csrftoken"].value, Referer="https://evil.example/letters/new/?to=7")
        assert drafts.find(ann, PAGE, clock.now) == []


class TestNever:
    def test_of_a_form_that_signs_in(self, page: Browser):
        page.submit("/login/", {"username": "ann", "password": "wrong", "note": "x"})
        page.submit("/keep-me/", {"username": "ann", "password": PASSWORD, "note": "x"})
        assert not Draft.objects.exists()

    def test_where_the_site_keeps_none(self, page: Browser, settings: Any):
        settings.IDLEWATCH = {"DRAFT_AGE": 0}
        assert send(page).status_code == 302
        assert not Draft.objects.exists()

    def test_of_a_session_that_lives(self, browser: Browser, ann: User):
        browser.sign_in(ann)
        assert send(browser).status_code == 200
        assert not Draft.objects.exists()

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
        assert not Draft.objects.exists()

    def test_of_a_key_that_was_replaced_before_the_end(self, browser: Browser, ann: User, clock: Time):
        browser.sign_in(ann)
        key = browser.key
        assert key
        browser.visit("/rotate/")
        clock.pass_(900)
        tick(clock)
        browser.key = key
        assert send(browser).status_code == 302
        assert not Draft.objects.exists()

    @pytest.mark.parametrize(
        ("method", "headers", "kind"),
        [
            ("POST", FETCH, "application/x-www-form-urlencoded"),
            ("PUT", NAVIGATION, "application/x-www-form-urlencoded"),
            ("POST", NAVIGATION, "application/json"),
            ("POST", NAVIGATION, "text/plain"),
            ("POST", NAVIGATION, ""),
        ],
    )
    def test_of_what_is_no_form(self, page: Browser, method: str, headers: dict[str, str], kind: str):
        response = page.ask(method.lower(), ACTION, b"subject=A", headers, content_type=kind)
        assert response.status_code == (401 if headers is FETCH else 302)
        assert not Draft.objects.exists()

    def test_of_what_is_private(self, page: Browser, ann: User):
        private = {
            "password": "hunter2",
            "number": "4111 1111 1111 1111",
            "diagnosis": "a secret",
            "_idlewatch_private": ["diagnosis", "other"],
        }
        send(page, {"subject": "A letter"} | private)
        assert offered(page, ann) == [[["subject", "A letter"]]]


class TestReading:
    """A client with a stale cookie must cost little, and break nothing."""

    @pytest.mark.parametrize("length", ["1048577", "200000000", "", "-1", "x"])
    def test_of_more_than_a_form_is_nothing_is_read(self, page: Browser, length: str):
        body = Unread()
        sent = {"CONTENT_TYPE": "multipart/form-data; boundary=x", "CONTENT_LENGTH": length, "wsgi.input": body}
        page.client.generic("POST", ACTION, headers=NAVIGATION, **sent)
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
            ("a=" + "x" * 70_000, "application/x-www-form-urlencoded"),
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
        ids=["fields", "size", "boundary", "charset", "files"],
    )
    def test_noise_makes_none_in_the_log(self, page: Browser, caplog: pytest.LogCaptureFixture, body: str, kind: str):
        caplog.set_level(logging.INFO, "idlewatch")
        page.client.cookies["csrftoken"] = "a" * 32
        assert page.ask("post", ACTION, body, NAVIGATION | {"Referer": FORM}, content_type=kind).status_code == 302
        told = [line for line in caplog.records if line.name == "idlewatch"]
        lines = [line for line in told if not line.getMessage().startswith("session_ended ")]
        assert [(line.levelname, line.exc_info) for line in lines] == [("INFO", None)]
        assert lines[0].getMessage().startswith("A rejected form is not stored: ")
        assert not Draft.objects.exists()

    def test_a_connection_that_breaks_is_no_error(self, page: Browser, caplog: pytest.LogCaptureFixture):
        kind = "application/x-www-form-urlencoded"
        sent = {"CONTENT_TYPE": kind, "CONTENT_LENGTH": "3", "wsgi.input": Broken()}
        assert page.client.generic("POST", ACTION, headers=NAVIGATION, **sent).status_code == 302
        assert [line for line in caplog.records if line.levelno >= logging.WARNING] == []


class TestSigningIn:
    def test_it_goes_on_where_the_lookup_of_forms_fails(
        self, browser: Browser, ann: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        monkeypatch.setattr(drafts, "has_rejected_form", fail)
        assert browser.sign_in(ann).status_code == 302
        assert browser.visit("/closed/").status_code == 200
        assert not is_announced(browser)
        [line] = [line for line in caplog.records if line.levelno >= logging.ERROR]
        assert line.getMessage() == "Looking up rejected forms failed (gone): pages don't ask for them."

    def test_asking_saves_no_session_over_what_another_request_wrote(
        self, page: Browser, ann: User, monkeypatch: pytest.MonkeyPatch
    ):
        send(page)
        page.sign_in(ann)
        [found] = load(page, PAGE).json()["drafts"]
        really = drafts.delete

        def delete(*given: Any) -> None:
            session = page.client.session
            session["cart"] = "full"
            session.save()
            really(*given)

        monkeypatch.setattr(drafts, "delete", delete)
        post(page, {"page": PAGE, "form": found["form"], "fields": None})
        assert load(page, PAGE).json() == {"drafts": []}
        assert page.client.session["cart"] == "full"


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
    def test_a_form_that_is_broken_is_answered_all_the_same(self, page: Browser, body: bytes):
        kind = "multipart/form-data; boundary=x"
        assert page.ask("post", ACTION, body, NAVIGATION, content_type=kind).status_code == 302
        assert not Draft.objects.exists()


def fail(*_: object) -> None:
    raise DatabaseError("gone")


class Broken(BytesIO):
    def read(self, *_: Any) -> bytes:
        raise OSError("the browser is gone")


class Unread(BytesIO):
    was_read = False

    def read(self, *_: Any) -> bytes:
        self.was_read = True
        return b""

    readline = read


class NoUploads(FileUploadHandler):
    def new_file(self, *_: Any, **__: Any) -> None:
        raise AssertionError("a file was received")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None: ...

    def file_complete(self, file_size: int) -> None: ...


def reading_answer(request: HttpRequest, _: object) -> JsonResponse:
    read = b"A letter" in request.body or b"A+letter" in request.body
    return JsonResponse({"subject": request.POST["subject"], "files": sorted(request.FILES), "read": read})


def read_form(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Make a middleware that reads the form of every request before idlewatch does."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        request.POST.get("subject")
        return get_response(request)

    return middleware
