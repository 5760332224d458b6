"""What pages keep of their forms on the server, and get back (issue: nothing typed is lost)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, InterfaceError, OperationalError, connections
from django.db.models import QuerySet
from django.test import Client

from idlewatch.drafts import cipher
from idlewatch.drafts import service as drafts
from idlewatch.drafts import views as draft_views
from idlewatch.drafts.models import Draft
from idlewatch.drafts.redaction import redact
from idlewatch.models import WatchedSession
from idlewatch.process import current_process
from idlewatch.runtime import timer as timer_module
from idlewatch.runtime.hub import Hub
from idlewatch.runtime.timer import Timer
from tests.conftest import START, Time
from tests.support import http_site
from tests.support.http import FETCH, NAVIGATION, Browser, last_active, record, tick

pytestmark = pytest.mark.usefixtures("site")

PATH = "/idlewatch/drafts/"
PAGE = "/letters/new/?to=7"
FIELDS = [["subject", "A letter"], ["body", "Dear Sir,\nπ 🙂"]]
CARD = "4111 1111 1111 1111"


class Broken(BytesIO):
    def read(self, *_: Any) -> bytes:
        raise OSError("the browser is gone")

    readline = read


def post(browser: Browser, data: object, path: str = PATH) -> Any:
    body = data if isinstance(data, (str, bytes)) else json.dumps(data)
    return browser.ask("post", path, body, FETCH, content_type="application/json")


def save(browser: Browser, fields: object = FIELDS, page: str = PAGE, form: str = "letter") -> Any:
    return post(browser, {"page": page, "form": form, "fields": fields})


def load(browser: Browser, page: str = PAGE) -> Any:
    return browser.ask("get", PATH, {"page": page}, FETCH)


def kept(browser: Browser, page: str = PAGE) -> list[Any]:
    response = load(browser, page)
    assert response.status_code == 200, response.content
    return [(each["form"], each["kind"], each["fields"]) for each in response.json()["drafts"]]


@pytest.fixture
def page(browser: Browser, ann: User) -> Browser:
    browser.sign_in(ann)
    return browser


@pytest.fixture
def tab(browser: Browser, ann: User) -> Browser:
    """A page, for what does not depend on the interface."""
    browser.sign_in(ann)
    return browser


class TestKeeping:
    @pytest.mark.rule("R32", "R33")
    def test_what_is_saved_is_given_back_on_the_same_page(self, page: Browser, clock: Time):
        clock.pass_(10)
        response = save(page)
        assert (response.status_code, response.json()) == (200, {"saved": START + 10})
        [draft] = load(page).json()["drafts"]
        assert draft == {"form": "letter", "kind": "draft", "saved": START + 10, "fields": FIELDS, "action": ""}

    def test_another_page_has_its_own(self, tab: Browser):
        save(tab)
        assert kept(tab, "/letters/new/") == []
        assert kept(tab, "/letters/new/?to=8") == []

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("/a%C3%A4/", "/aä/"),
            ("/a%c3%a4/?q=%C3%A4", "/a%C3%A4/?q=ä"),
            ("/a/?", "/a/"),
            ("/a/#b", "/a/"),
            ("/a/", "/a/#"),
        ],
    )
    def test_an_address_may_be_written_in_more_than_one_way(self, tab: Browser, one: str, other: str):
        save(tab, page=one)
        assert len(kept(tab, other)) == 1

    @pytest.mark.parametrize(("one", "other"), [("/a%2Fb/", "/a/b/"), ("/?q=a%26b", "/?q=a&b"), ("/?a=1", "/%3Fa=1")])
    def test_but_not_every_two_that_look_alike_are_one(self, tab: Browser, one: str, other: str):
        save(tab, page=one)
        assert kept(tab, other) == []

    def test_the_newest_takes_the_place_of_the_one_before(self, tab: Browser, clock: Time):
        save(tab)
        clock.pass_(5)
        save(tab, [["subject", "Another"]])
        assert kept(tab) == [("letter", "draft", [["subject", "Another"]])]

    def test_two_forms_of_a_page_are_two_drafts(self, tab: Browser, clock: Time):
        save(tab)
        clock.pass_(1)
        save(tab, [["q", "word"]], form="1")
        assert [form for form, _, _ in kept(tab)] == ["1", "letter"]

    def test_a_form_that_was_sent_is_forgotten_and_no_other(self, page: Browser):
        save(page)
        save(page, form="other")
        response = post(page, {"page": PAGE, "form": "letter", "fields": None})
        assert (response.status_code, response.json()) == (200, {"saved": None})
        assert [form for form, _, _ in kept(page)] == ["other"]

    def test_it_outlives_the_session(self, tab: Browser, ann: User, clock: Time):
        save(tab)
        clock.pass_(900)
        tick(clock)
        tab.sign_in(ann)
        assert kept(tab) == [("letter", "draft", FIELDS)]

    def test_it_goes_with_its_user(self, tab: Browser, ann: User):
        save(tab)
        ann.delete()
        assert not Draft.objects.exists()


class TestPassive:
    @pytest.mark.rule("R5")
    def test_neither_saving_nor_asking_is_activity(self, page: Browser, clock: Time):
        clock.pass_(500)
        save(page)
        load(page)
        assert last_active() == START

    @pytest.mark.rule("R9", "R1")
    def test_after_the_end_it_is_a_401_with_the_reason_and_nothing_is_kept(self, page: Browser, clock: Time):
        clock.pass_(900)
        for response in (save(page), load(page)):
            assert response.status_code == 401
            assert (response.json()["phase"], response.json()["reason"]) == ("ended", "idle")
        assert not Draft.objects.exists()

    def test_a_browser_that_goes_there_acts_no_more_than_a_page_and_is_told_too(self, page: Browser, clock: Time):
        clock.pass_(500)
        assert page.visit(f"{PATH}?page=/").json() == {"drafts": []}
        assert last_active() == START
        clock.pass_(400)
        assert page.visit(f"{PATH}?page=/").json()["reason"] == "idle"

    @pytest.mark.rule("R12")
    @pytest.mark.parametrize("change", [{"is_active": False}, {"password": "another"}], ids=str)
    def test_an_account_that_does_not_stand_any_more_is_a_401_and_ends_it(
        self, page: Browser, ann: User, change: dict[str, Any]
    ):
        User.objects.filter(pk=ann.pk).update(**change)
        for response in (load(page), save(page)):
            assert (response.status_code, response.json()["reason"]) == (401, "account")
        assert record().reason == "account"
        assert not Draft.objects.exists()

    def test_without_a_session_it_is_a_401(self, browser: Browser):
        assert [save(browser).status_code, load(browser).status_code, post(browser, "nope").status_code] == [401] * 3

    def test_no_cache_keeps_it(self, page: Browser):
        assert "no-store" in load(page).headers["Cache-Control"]

    def test_it_needs_the_page_s_token(self, ann: User, clock: Time):
        client = Client(enforce_csrf_checks=True)
        client.force_login(ann)
        body = json.dumps({"page": PAGE, "form": "letter", "fields": FIELDS})

        def send(**headers: str) -> int:
            sent = {"content_type": "application/json", "headers": FETCH | headers}
            return client.post(PATH, body, **sent).status_code

        client.get("/page/", headers=NAVIGATION)
        assert send() == 403
        assert send(**{"X-CSRFToken": "0" * 64}) == 403
        assert send(**{"X-CSRFToken": client.cookies["csrftoken"].value}) == 200

    @pytest.mark.parametrize("method", ["put", "delete", "patch", "options"])
    def test_it_takes_no_other_method_and_says_so(self, tab: Browser, method: str):
        response = tab.ask(method, PATH)
        assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD, POST")
        assert response.json()["detail"] == f"Expected GET, HEAD or POST, got {method.upper()}."

    def test_its_head_is_that_of_what_is_kept(self, tab: Browser):
        assert tab.ask("head", f"{PATH}?page=/").status_code == 200


class TestOthers:
    def test_another_user_gets_nothing_and_changes_nothing(self, tab: Browser, bob: User, ann: User):
        save(tab)
        other = Browser()
        other.sign_in(bob)
        assert kept(other) == []
        save(other, [["subject", "Bob's"]])
        post(other, {"page": PAGE, "form": "letter", "fields": None})
        assert kept(tab) == [("letter", "draft", FIELDS)]

    def test_a_page_that_another_user_left_behind_is_turned_away(self, tab: Browser, bob: User):
        from idlewatch.http.page_tokens import token_of
        from idlewatch.monitor import service as monitor
        from tests.support.http import record

        watched = monitor.store().sessions.get(record().pk)
        assert watched is not None
        token = token_of(watched)
        assert post(tab, {"page": PAGE, "form": "a", "fields": FIELDS}, f"{PATH}?for={token}").status_code == 200
        tab.sign_in(bob)
        response = post(tab, {"page": PAGE, "form": "a", "fields": FIELDS}, f"{PATH}?for={token}")
        assert (response.status_code, response.json()["page"]) == (401, "foreign")
        assert tab.ask("get", PATH, {"page": PAGE, "for": token}, FETCH).status_code == 401
        assert [draft.user.username for draft in Draft.objects.all()] == ["ann"]

    def test_neither_what_nor_where_can_be_read_in_the_database(self, tab: Browser):
        save(tab)
        [row] = Draft.objects.values_list()
        assert "letters" not in repr(row)
        assert "Dear" not in repr(row)
        assert "subject" not in repr(row)

    @pytest.mark.parametrize("moved", ["user", "place", "form", "kind"])
    def test_a_row_that_is_moved_opens_nowhere_else(
        self, tab: Browser, bob: User, caplog: pytest.LogCaptureFixture, moved: str
    ):
        save(tab)
        save(tab, page="/elsewhere/", form="other")
        row = Draft.objects.get(form="letter")
        there = Draft.objects.get(form="other")
        reader, page = tab, PAGE
        if moved == "user":
            row.user = bob
            reader = Browser()
            reader.sign_in(bob)
            row.page_digest = cipher.page_digests(bob, PAGE)[0]
        elif moved == "place":
            row.page_digest, page = there.page_digest, "/elsewhere/"
            there.delete()
        else:
            setattr(row, moved, {"form": "moved", "kind": "refused"}[moved])
        row.save()
        with caplog.at_level(logging.WARNING, "idlewatch"):
            assert kept(reader, page) == []
        assert [line.getMessage() for line in caplog.records] == [
            "A draft can't be decrypted (DecryptionError) and is deleted."
        ]
        assert not Draft.objects.filter(pk=row.pk).exists()

    @pytest.mark.parametrize("sealed", ["", "nonsense", "ä", "gAAAAA"])
    def test_what_was_tampered_with_is_dropped_and_the_rest_is_given(self, tab: Browser, sealed: str):
        save(tab)
        save(tab, form="other")
        Draft.objects.filter(form="letter").update(ciphertext=sealed)
        assert [form for form, _, _ in kept(tab)] == ["other"]
        assert Draft.objects.count() == 1

    def test_what_is_sealed_by_us_and_no_draft_is_dropped_too(self, tab: Browser, ann: User):
        save(tab)
        row = Draft.objects.get()
        row.ciphertext = cipher.encrypt(b'{"fields": 7}', str(ann.pk), row.page_digest, row.form, row.kind)
        row.save()
        assert kept(tab) == []
        assert not Draft.objects.exists()


class TestDatabase:
    """A page asks again later; it is never told of an error that it can't mend."""

    @pytest.mark.parametrize("error", [OperationalError, IntegrityError, InterfaceError])
    def test_one_that_fails_is_a_503(
        self,
        page: Browser,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        error: type[Exception],
    ):
        def fail(*_: object) -> None:
            raise error("database is locked")

        for name in ("put", "find", "delete"):
            monkeypatch.setattr(drafts, name, fail)
        for response in (save(page), load(page), save(page, None)):
            assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
        lines = {line.getMessage() for line in caplog.records if line.name == "idlewatch"}
        assert lines == {"The database failed (database is locked): a page's client was answered with 503."}
        monkeypatch.undo()
        assert save(page).status_code == 200

    def test_an_error_of_the_site_s_own_view_stays_the_site_s(self, browser: Browser, ann: User):
        def fail(_: object) -> None:
            raise OperationalError("database is locked")

        browser.sign_in(ann)
        http_site.during.append(fail)
        with pytest.raises(OperationalError):
            browser.visit("/meanwhile/")

    def test_an_account_that_goes_meanwhile_is_no_500(self, tab: Browser, ann: User, monkeypatch: pytest.MonkeyPatch):
        really = drafts._locked

        @contextmanager
        def turn_of(user: User) -> Iterator[None]:
            with really(user):
                WatchedSession.objects.all().delete()
                User.objects.filter(pk=ann.pk)._raw_delete("default")
                yield

        monkeypatch.setattr(drafts, "_locked", turn_of)
        assert save(tab).status_code == 503

    def test_two_that_save_at_once_both_get_an_answer(self, ann: User, clock: Time, settings: Any):
        failed: list[Exception] = []

        def run(worker: int) -> None:
            try:
                for number in range(10):
                    drafts.save(ann, PAGE, f"{(number if worker else 9 - number) % 4}", [("a", "b")], clock.now)
                    drafts.delete(ann, PAGE, f"{number % 3}")
            except Exception as error:  # noqa: BLE001 - of a thread, which nobody else would hear of
                failed.append(error)
            finally:
                connections.close_all()

        threads = [Thread(target=run, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []

    def test_whoever_changes_what_a_user_has_takes_turns_first(self, tab: Browser, monkeypatch: pytest.MonkeyPatch):
        # SQLite has no such lock, and says nothing of it.
        asked: list[dict[str, Any]] = []
        really = QuerySet.select_for_update

        def select(self: Any, **options: Any) -> Any:
            if self.model is User:
                asked.append(options)
            return really(self)

        monkeypatch.setattr(QuerySet, "select_for_update", select)
        save(tab)
        save(tab, None)
        assert asked == [{"no_key": False}] * 2


class TestSecretKey:
    def test_a_key_that_was_replaced_still_opens_what_it_sealed(self, tab: Browser, ann: User, settings: Any):
        save(tab)
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
        tab.sign_in(ann)
        assert kept(tab) == [("letter", "draft", FIELDS)]
        save(tab, [["subject", "Later"]])
        assert kept(tab) == [("letter", "draft", [["subject", "Later"]])]
        assert Draft.objects.count() == 1
        settings.SECRET_KEY_FALLBACKS = []
        tab.sign_in(ann)
        assert kept(tab) == [("letter", "draft", [["subject", "Later"]])]

    def test_one_that_was_replaced_still_forgets(self, tab: Browser, ann: User, settings: Any):
        save(tab)
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
        tab.sign_in(ann)
        post(tab, {"page": PAGE, "form": "letter", "fields": None})
        assert not Draft.objects.exists()

    def test_one_that_is_gone_opens_nothing_and_breaks_nothing(self, tab: Browser, ann: User, settings: Any):
        save(tab)
        settings.SECRET_KEY = "new"
        tab.sign_in(ann)
        assert kept(tab) == []
        save(tab)
        assert kept(tab) == [("letter", "draft", FIELDS)]


class TestAge:
    @pytest.mark.rule("R33")
    def test_a_day_later_it_is_gone_and_not_before(self, tab: Browser, ann: User, clock: Time):
        save(tab)
        clock.pass_(86399)
        tab.sign_in(ann)
        assert len(kept(tab)) == 1
        clock.pass_(1)
        tab.sign_in(ann)
        assert kept(tab) == []

    def test_how_long_is_the_site_s_to_say(self, tab: Browser, clock: Time, settings: Any):
        settings.IDLEWATCH = {"DRAFT_AGE": 60}
        save(tab)
        clock.pass_(60)
        assert kept(tab) == []

    def test_saving_deletes_what_is_too_old_of_that_user(self, tab: Browser, ann: User, bob: User, clock: Time):
        save(tab)
        drafts.save(bob, PAGE, "letter", [("a", "b")], clock.now)
        clock.pass_(86400)
        tab.sign_in(ann)
        save(tab, form="new")
        assert sorted(Draft.objects.values_list("user__username", "form")) == [("ann", "new"), ("bob", "letter")]

    def test_the_timer_deletes_it_once_an_hour(self, tab: Browser, clock: Time):
        timer = tick(clock)
        save(tab)
        clock.pass_(86400)
        tick(clock, timer)
        assert not Draft.objects.exists()
        drafts.save(User.objects.get(), PAGE, "old", [("a", "b")], clock.now - 86400)
        for passed, left in ((3599, 1), (1, 0)):
            clock.pass_(passed)
            tick(clock, timer)
            assert Draft.objects.count() == left

    def test_a_sweep_that_failed_is_tried_again(self, tab: Browser, clock: Time, monkeypatch: pytest.MonkeyPatch):
        def fail(_: float) -> None:
            raise OperationalError("database is locked")

        timer = Timer(current_process(), Hub(current_process()))
        save(tab)
        clock.pass_(86400)
        with monkeypatch.context() as broken:
            broken.setattr(timer_module, "SWEEPS", [fail])
            with pytest.raises(OperationalError):
                tick(clock, timer)
        clock.pass_(1)
        tick(clock, timer)
        assert not Draft.objects.exists()

    def test_none_at_all_where_the_site_keeps_none(self, tab: Browser, clock: Time, settings: Any):
        save(tab)
        settings.IDLEWATCH = {"DRAFT_AGE": 0}
        assert [save(tab).status_code, load(tab).status_code] == [404, 404]
        tick(clock)
        assert not Draft.objects.exists()


class TestBounds:
    @pytest.mark.rule("R24")
    def test_one_that_is_too_large_is_refused_and_the_one_before_stays(self, page: Browser):
        save(page)
        room = drafts.MAX_SIZE - len('[["body",""]]')
        response = save(page, [["body", "x" * (room + 1)]])
        assert (response.status_code, response.json()["code"]) == (413, "too_large")
        assert str(drafts.MAX_SIZE) in response.json()["detail"]
        assert kept(page) == [("letter", "draft", FIELDS)]
        assert save(page, [["body", "x" * room]]).status_code == 200

    def test_one_of_too_many_fields_is_refused(self, tab: Browser):
        fields = [[f"field{number}", ""] for number in range(drafts.MAX_FIELDS + 1)]
        response = save(tab, fields)
        assert (response.status_code, response.json()["code"]) == (413, "too_large")
        assert save(tab, fields[1:]).status_code == 200

    @pytest.mark.parametrize("limit", [None, 2000])
    def test_a_request_beyond_what_is_read_is_refused(self, tab: Browser, settings: Any, limit: int | None):
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = limit
        response = post(tab, "x" * 100_000)
        assert (response.status_code, response.json()["code"]) == (413, "too_large")

    @pytest.mark.parametrize(
        ("limit", "said"),
        [
            (1000, "Expected at most 1000 bytes, got 2000."),
            (None, "Expected at most 1500 bytes, got 2000."),
            (1800, "Expected at most 1500 bytes, got 2000."),
        ],
    )
    def test_the_bound_that_counts_is_named(
        self, tab: Browser, settings: Any, monkeypatch: pytest.MonkeyPatch, limit: int | None, said: str
    ):
        monkeypatch.setattr(draft_views, "MAX_BODY", 1500)
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = limit
        response = post(tab, "x" * 2000)
        assert (response.status_code, response.json()["detail"]) == (413, said)

    def test_a_user_has_twenty_and_the_oldest_goes(self, tab: Browser, bob: User, clock: Time):
        drafts.save(bob, PAGE, "letter", [("a", "b")], clock.now)
        for number in range(21):
            clock.pass_(1)
            save(tab, page=f"/{number}/")
        assert Draft.objects.filter(user__username="ann").count() == 20
        assert kept(tab, "/0/") == []
        assert len(kept(tab, "/1/")) == len(kept(tab, "/20/")) == 1
        assert Draft.objects.filter(user=bob).count() == 1

    def test_saving_the_oldest_again_makes_it_the_newest(self, tab: Browser, clock: Time):
        for number in [*range(20), 0, 20]:
            clock.pass_(1)
            save(tab, page=f"/{number}/")
        assert len(kept(tab, "/0/")) == 1
        assert kept(tab, "/1/") == []


class TestBadInput:
    @pytest.mark.parametrize(
        ("body", "code", "detail"),
        [
            ("", "bad_json", "Expected JSON"),
            ("nope", "bad_json", "Expected JSON"),
            (b"\xff\xfe", "bad_json", "Expected JSON"),
            ('{"page": "/", "form": "\\ud800", "fields": []}', "bad_json", "Expected JSON"),
            ("[]", "bad_message", "Expected `object`, got `array`"),
            ("[" * 10_000, "bad_message", ""),
            ("{}", "bad_message", "missing required field `page`"),
            ('{"page": "/", "form": "a"}', "bad_message", "missing required field `fields`"),
            ('{"page": "/", "form": "a", "fields": [], "user": 1}', "bad_message", "unknown field `user`"),
            ('{"page": 7, "form": "a", "fields": []}', "bad_value", "Expected `str`, got `int`"),
            ('{"page": "/", "form": "", "fields": []}', "bad_value", "length >= 1"),
            (json.dumps({"page": "/", "form": "a" * 101, "fields": []}), "bad_value", "length <= 100"),
            ('{"page": "/", "form": "a\\u0000", "fields": []}', "bad_value", "matching regex"),
            ('{"page": "/", "form": "a", "fields": {}}', "bad_value", "Expected `array | null`, got `object`"),
            ('{"page": "/", "form": "a", "fields": [["a"]]}', "bad_value", "length 2"),
            ('{"page": "/", "form": "a", "fields": [["a", null]]}', "bad_value", "Expected `str`, got `null`"),
        ],
    )
    def test_what_is_no_draft_is_a_400_that_says_why(self, tab: Browser, body: str | bytes, code: str, detail: str):
        response = post(tab, body)
        error = response.json()
        assert (response.status_code, error["type"], error["code"]) == (400, "error", code)
        assert detail in error["detail"]
        assert not Draft.objects.exists()

    @pytest.mark.parametrize(
        "page",
        ["", "a/", "//evil.example/", "/\\evil.example/", "https://evil.example/", "http://testserver/"],
    )
    def test_a_page_of_another_site_is_a_400_that_says_why(self, tab: Browser, page: str):
        for response in (save(tab, page=page), load(tab, page), save(tab, None, page=page)):
            assert (response.status_code, response.json()["code"]) == (400, "bad_value")
            assert "Expected the path of a page of this site" in response.json()["detail"]

    def test_a_page_of_too_long_a_name_is_a_400(self, tab: Browser):
        page = "/" + "a" * 2047
        assert [save(tab, page=page).status_code, load(tab, page).status_code] == [200, 200]
        for response in (save(tab, page=page + "a"), load(tab, page + "a")):
            assert response.status_code == 400
            assert "at most 2048 characters, got 2049" in response.json()["detail"]

    def test_asking_for_no_page_is_a_400(self, tab: Browser):
        response = tab.ask("get", PATH, headers=FETCH)
        assert (response.status_code, response.json()["code"]) == (400, "bad_value")

    def test_a_form_is_no_draft(self, tab: Browser):
        response = tab.ask("post", PATH, {"page": "/", "form": "a"}, FETCH)
        assert (response.status_code, response.json()["code"]) == (400, "bad_json")
        assert response.json()["detail"] == "Expected JSON, got multipart/form-data."

    @pytest.mark.parametrize(
        ("body", "kind"),
        [("a=1&" * 2000, "application/x-www-form-urlencoded"), ("a=1", "multipart/form-data")],
    )
    def test_nor_is_one_that_django_would_not_read(self, ann: User, clock: Time, body: str, kind: str):
        client = Client(enforce_csrf_checks=True)
        client.force_login(ann)
        response = client.post(PATH, body, content_type=kind, headers=FETCH)
        assert (response.status_code, response.json()["detail"]) == (400, f"Expected JSON, got {kind}.")

    @pytest.mark.parametrize("path", [PATH, "/idlewatch/message/"])
    def test_a_request_that_breaks_off_is_a_400(self, tab: Browser, path: str):
        sent = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": "9", "wsgi.input": Broken()}
        response = tab.client.generic("POST", path, headers=FETCH, **sent)
        assert (response.status_code, response.json()["code"]) == (400, "bad_json")
        assert "the connection broke" in response.json()["detail"]


class TestPrivate:
    NAMES = (
        "password", "newPassword2", "user[passwd]", "PASSPHRASE", "passwort", "secret_answer", "api_key", "apiKey",
        "csrfmiddlewaretoken", "token", "card-cvc", "CVV2", "otp_1", "pin", "login.pwd", "auth", "_idlewatch_private",
        "security_code", "securityCode", "verification-code", "cardcode", "PINCode", "userPIN2", "CVVNumber", "APIKey",
        "card_code", "pin code", "access_code", "one_time_code", "otpcode", "senha", "contraseña", "contrasen\u0303a",
        "mot_de_passe", "motDePasse", "mdp", "Passwort", "hasło", "haslo", "Пароль", "şifre", "wachtwoord",
        "パスワード", "비밀번호",
    )  # fmt: skip
    OPEN = (
        "author", "keywords", "passengers", "monkey", "therapist", "opinion", "capital", "spinach", "tokyo", "",
        "postal_code", "countryCode", "code", "eisenhandel", "footprint_code", "conclave", "auto_kennzeichen", "Größe",
    )  # fmt: skip
    CARDS = (
        CARD,
        "4111-1111-1111-1111",
        "4111111111111111",
        " 378282246310005 ",
        "6304 0000 0000 0000",
        "4222222222222",
        "4111  1111 1111 1111",
        "4111\u00a01111\u00a01111\u00a01111",
        "4111.1111.1111.1111",
        "4111\N{EN DASH}1111\N{EN DASH}1111\N{EN DASH}1111",
        "4111_1111 / 1111_1111",
        "٤١١١١١١١١١١١١١١١",
    )
    NUMBERS = (
        "4111 1111 1111 1112",
        "411111111111",
        "41111111111111111111",
        "4111 1111 1111 1111 x",
        "4111:1111:1111:1111",
        "+4111111111111111",
    )

    @pytest.mark.parametrize("name", NAMES)
    def test_a_secret_by_its_name_never_gets_into_the_database(self, tab: Browser, name: str):
        save(tab, [["subject", "kept"], [name, "hunter2"]])
        assert kept(tab) == [("letter", "draft", [["subject", "kept"]])]

    @pytest.mark.parametrize("value", CARDS)
    def test_a_card_s_number_never_gets_into_the_database(self, tab: Browser, value: str):
        save(tab, [["subject", "kept"], ["number", value]])
        assert kept(tab) == [("letter", "draft", [["subject", "kept"]])]

    def test_what_only_looks_a_little_like_it_is_kept(self):
        fields = [(name, "value") for name in self.OPEN] + [("number", value) for value in self.NUMBERS]
        assert redact(fields) == fields

    def test_where_nothing_else_is_left_nothing_is_kept(self, tab: Browser):
        save(tab)
        assert save(tab, [["password", "hunter2"]]).json() == {"saved": None}
        assert not Draft.objects.exists()
