"""The endpoint at which pages save their forms, and get them back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, InterfaceError, OperationalError
from django.test import Client

from idlewatch.drafts import service as drafts
from idlewatch.drafts import views
from idlewatch.drafts.models import Draft
from idlewatch.exceptions import BadMessage
from idlewatch.http.page_tokens import token_of
from idlewatch.monitor import stores
from tests.conftest import START, Time
from tests.support import http_site
from tests.support.http import FETCH, NAVIGATION, Browser, last_active, record, tick
from tests.support.probes import probing

pytestmark = pytest.mark.usefixtures("site")

PATH = "/idlewatch/drafts/"
PAGE = "/letters/new/?to=7"
FIELDS = [["subject", "A letter"], ["body", "Dear Sir,\nπ 🙂"]]


def post(browser: Browser, data: object, path: str = PATH) -> Any:
    body = data if isinstance(data, (str, bytes)) else json.dumps(data)
    return browser.ask("post", path, body, FETCH, content_type="application/json")


def save(browser: Browser, fields: object = FIELDS, page: str = PAGE, path: str = PATH) -> Any:
    return post(browser, {"page": page, "form": "letter", "fields": fields}, path)


def load(browser: Browser, page: str = PAGE) -> Any:
    return browser.ask("get", PATH, {"page": page}, FETCH)


@pytest.fixture
def page(browser: Browser, ann: User) -> Browser:
    browser.sign_in(ann)
    return browser


@pytest.mark.rule("R32", "R33")
def test_what_is_saved_is_given_back_also_in_the_next_session(page: Browser, ann: User, clock: Time):
    clock.pass_(10)
    response = save(page)
    assert (response.status_code, response.json()) == (200, {"saved": START + 10})
    clock.pass_(900)
    tick(clock)
    page.sign_in(ann)
    response = load(page)
    draft = {"form": "letter", "kind": "draft", "saved": START + 10, "fields": FIELDS, "action": ""}
    assert (response.status_code, response.json()) == (200, {"drafts": [draft]})
    assert "no-store" in response.headers["Cache-Control"]
    response = save(page, None)
    assert (response.status_code, response.json()) == (200, {"saved": None})
    assert load(page).json() == {"drafts": []}


def test_a_form_of_secrets_alone_is_not_saved(page: Browser):
    assert save(page, [["password", "hunter2"]]).json() == {"saved": None}
    assert not Draft.objects.exists()


def test_a_probe_of_the_site_has_none_and_leaves_those_of_its_user_alone(page: Browser, ann: User, clock: Time):
    assert "&quot;drafts&quot;" in page.visit("/page/").content.decode()
    save(page)
    probe, _ = probing(ann, clock)
    assert "&quot;drafts&quot;" not in probe.visit("/page/").content.decode()
    for response in (load(probe), save(probe, [["subject", "Another"]]), save(probe, None)):
        assert response.status_code == 404
    assert load(page).json()["drafts"][0]["fields"] == FIELDS


class TestSession:
    @pytest.mark.rule("R5")
    def test_neither_saving_nor_asking_is_activity(self, page: Browser, clock: Time):
        clock.pass_(500)
        save(page)
        load(page)
        assert page.visit(f"{PATH}?page=/").json() == {"drafts": []}
        assert last_active() == START

    @pytest.mark.rule("R9", "R1")
    def test_after_the_end_it_is_a_401_with_the_reason_and_nothing_is_kept(self, page: Browser, clock: Time):
        clock.pass_(900)
        for response in (save(page), load(page), page.visit(f"{PATH}?page=/")):
            assert response.status_code == 401
            assert (response.json()["phase"], response.json()["reason"]) == ("ended", "idle")
        assert not Draft.objects.exists()

    @pytest.mark.rule("R12")
    @pytest.mark.parametrize("change", [{"is_active": False}, {"password": "another"}], ids=str)
    def test_an_account_that_is_not_valid_any_more_is_a_401_and_ends_it(
        self, page: Browser, ann: User, change: dict[str, Any]
    ):
        User.objects.filter(pk=ann.pk).update(**change)
        for response in (load(page), save(page)):
            assert (response.status_code, response.json()["reason"]) == (401, "account")
        assert record().reason == "account"
        assert not Draft.objects.exists()

    def test_without_a_session_it_is_a_401(self, browser: Browser):
        assert [save(browser).status_code, load(browser).status_code, post(browser, "nope").status_code] == [401] * 3

    def test_a_page_that_another_user_left_behind_is_turned_away(self, page: Browser, bob: User):
        watched = stores.current().sessions.get(record().pk)
        assert watched is not None
        token = token_of(watched)
        assert save(page, path=f"{PATH}?for={token}").status_code == 200
        page.sign_in(bob)
        response = save(page, path=f"{PATH}?for={token}")
        assert (response.status_code, response.json()["page"]) == (401, "foreign")
        assert page.ask("get", PATH, {"page": PAGE, "for": token}, FETCH).status_code == 401
        assert [draft.user.username for draft in Draft.objects.all()] == ["ann"]

    def test_it_needs_the_page_s_token(self, ann: User, clock: Time):
        client = Client(enforce_csrf_checks=True)
        client.force_login(ann)
        body = json.dumps({"page": PAGE, "form": "letter", "fields": FIELDS})

        def send(**headers: str) -> int:
            return client.post(PATH, body, content_type="application/json", headers=FETCH | headers).status_code

        client.get("/page/", headers=NAVIGATION)
        assert send() == 403
        assert send(**{"X-CSRFToken": "0" * 64}) == 403
        assert send(**{"X-CSRFToken": client.cookies["csrftoken"].value}) == 200


@pytest.mark.parametrize("method", ["put", "options"])
def test_it_takes_no_other_method_and_says_so(page: Browser, method: str):
    response = page.ask(method, PATH)
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert response.json()["detail"] == f"Expected GET, HEAD or POST, got {method.upper()}."
    assert page.ask("head", f"{PATH}?page=/").status_code == 200


class TestDatabase:
    @pytest.mark.parametrize(
        ("error", "logged"),
        [
            (OperationalError, "database is locked"),
            (InterfaceError, "database is locked"),
            # Its text may quote the row.
            (IntegrityError, "IntegrityError"),
        ],
    )
    def test_its_failure_is_a_503(
        self,
        page: Browser,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        error: type[Exception],
        logged: str,
    ):
        def fail(*_: object) -> None:
            raise error("database is locked")

        for name in ("put", "find", "delete"):
            monkeypatch.setattr(drafts, name, fail)
        for response in (save(page), load(page), save(page, None)):
            assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
        lines = {line.getMessage() for line in caplog.records if line.name == "idlewatch"}
        assert lines == {f"The database failed ({logged}): a page's client was answered with 503."}
        monkeypatch.undo()
        assert save(page).status_code == 200

    def test_its_failure_in_another_view_is_raised(self, page: Browser):
        def fail(_: object) -> None:
            raise OperationalError("database is locked")

        http_site.during.append(fail)
        with pytest.raises(OperationalError):
            page.visit("/meanwhile/")


def test_where_drafts_are_off_there_is_no_endpoint(page: Browser, settings: Any):
    settings.IDLEWATCH = {"DRAFT_AGE": 0}
    assert [save(page).status_code, load(page).status_code] == [404, 404]


class TestBadRequests:
    @pytest.mark.rule("R24")
    def test_a_form_that_is_too_large_is_a_413(self, page: Browser):
        response = save(page, [["body", "x" * drafts.MAX_SIZE]])
        assert (response.status_code, response.json()["code"]) == (413, "too_large")
        assert str(drafts.MAX_SIZE) in response.json()["detail"]

    def test_a_request_beyond_what_is_read_is_a_413(self, page: Browser):
        response = post(page, "x" * 100_000)
        assert (response.status_code, response.json()["code"]) == (413, "too_large")
        assert response.json()["detail"] == f"Expected at most {views.MAX_BODY} bytes, got 100000."

    @pytest.mark.parametrize(
        ("body", "detail"),
        [("nope", "Expected JSON"), ('{"page": "//evil.example/", "form": "a", "fields": []}', "Expected the path")],
    )
    def test_what_is_no_draft_is_a_400_that_says_why(self, page: Browser, body: str, detail: str):
        response = post(page, body)
        assert (response.status_code, response.json()["type"]) == (400, "error")
        assert detail in response.json()["detail"]
        assert not Draft.objects.exists()

    @pytest.mark.parametrize("query", ["", "?page=//evil.example/"])
    def test_so_is_asking_for_no_page_of_the_site(self, page: Browser, query: str):
        response = page.ask("get", f"{PATH}{query}", headers=FETCH)
        assert (response.status_code, response.json()["code"]) == (400, "bad_value")

    def test_a_form_is_refused_before_its_token_is_looked_for(self, ann: User, clock: Time):
        client = Client(enforce_csrf_checks=True)
        client.force_login(ann)
        kind = "application/x-www-form-urlencoded"
        response = client.post(PATH, "a=1&" * 2000, content_type=kind, headers=FETCH)
        assert (response.status_code, response.json()["detail"]) == (400, f"Expected JSON, got {kind}.")


@pytest.mark.parametrize(
    ("body", "code", "detail"),
    [
        (b"", "bad_json", "Expected JSON"),
        (b"\xff\xfe", "bad_json", "Expected JSON"),
        (b'{"page": "/", "form": "\\ud800", "fields": []}', "bad_json", "Expected JSON"),
        (b"[]", "bad_message", "Expected `object`, got `array`"),
        (b"[" * 10_000, "bad_message", ""),
        (b'{"page": "/", "form": "a"}', "bad_message", "missing required field `fields`"),
        (b'{"page": "/", "form": "a", "fields": [], "user": 1}', "bad_message", "unknown field `user`"),
        (b'{"page": 7, "form": "a", "fields": []}', "bad_value", "Expected `str`, got `int`"),
        (b'{"page": "/", "form": "", "fields": []}', "bad_value", "length >= 1"),
        (b'{"page": "/", "form": "%s", "fields": []}' % (b"a" * 101), "bad_value", "length <= 100"),
        (b'{"page": "/", "form": "a\\u0000", "fields": []}', "bad_value", "matching regex"),
        (b'{"page": "/", "form": "a", "fields": [["a", null]]}', "bad_value", "Expected `str`, got `null`"),
    ],
)
def test_a_body_that_is_no_message_is_refused(body: bytes, code: str, detail: str):
    with pytest.raises(BadMessage) as refusal:
        views.parse(body)
    assert refusal.value.code == code
    assert detail in refusal.value.detail
