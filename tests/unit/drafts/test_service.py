from __future__ import annotations

import logging
from collections.abc import Iterable
from threading import Thread
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connections
from django.db.models import QuerySet

from idlewatch.drafts import cipher, redaction, rejected_forms
from idlewatch.drafts import service as drafts
from idlewatch.drafts.models import Draft
from idlewatch.drafts.redaction import Field
from idlewatch.exceptions import BadMessage
from idlewatch.runtime import timer as timer_module
from tests.conftest import START, Time
from tests.support.http import tick
from tests.support.serving import ROOT

PAGE = "/letters/new/?to=7"
FIELDS = [("subject", "A letter"), ("body", "Dear Sir,\nπ 🙂")]
LATER = [("subject", "Another")]


@pytest.fixture
def ann(db: None) -> User:
    return User.objects.create(username="ann")


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create(username="bob")


def save(
    user: User, fields: Iterable[Field] = FIELDS, page: str = PAGE, form: str = "letter", at: float = START
) -> bool:
    return drafts.save(user, page, form, fields, at)


def found(user: User, page: str = PAGE, at: float = START) -> list[tuple[str, list[Field]]]:
    return [(draft.form, draft.fields) for draft in drafts.find(user, page, at)]


class TestFields:
    def test_the_newest_are_found_on_their_page_alone(self, ann: User):
        assert save(ann)
        assert found(ann) == [("letter", FIELDS)]
        assert found(ann, "/letters/new/") == found(ann, "/letters/new/?to=8") == []
        save(ann, LATER, at=START + 5)
        assert found(ann) == [("letter", LATER)]

    def test_two_forms_of_a_page_are_two_drafts_and_the_newest_comes_first(self, ann: User):
        save(ann)
        save(ann, LATER, form="1", at=START + 1)
        assert found(ann) == [("1", LATER), ("letter", FIELDS)]
        drafts.delete(ann, PAGE, "1")
        assert found(ann) == [("letter", FIELDS)]

    def test_secrets_are_not_stored_and_a_form_of_nothing_else_deletes_its_draft(self, ann: User):
        save(ann, [("password", "hunter2"), *FIELDS])
        assert found(ann) == [("letter", FIELDS)]
        assert not save(ann, [("password", "hunter2")])
        assert not Draft.objects.exists()

    def test_another_user_neither_finds_nor_deletes_them_and_they_go_with_their_own(self, ann: User, bob: User):
        save(ann)
        assert found(bob) == []
        save(bob, LATER)
        drafts.delete(bob, PAGE, "letter")
        assert found(ann) == [("letter", FIELDS)]
        ann.delete()
        assert not Draft.objects.exists()


class TestRows:
    def test_they_show_neither_the_page_nor_the_fields(self, ann: User):
        save(ann)
        [row] = Draft.objects.values_list()
        assert not [word for word in ("letters", "Dear", "subject") if word in repr(row)]

    @pytest.mark.parametrize("moved", ["user", "page", "form", "kind"])
    def test_one_that_is_moved_is_deleted(self, ann: User, bob: User, caplog: pytest.LogCaptureFixture, moved: str):
        save(ann)
        reader, page = bob if moved == "user" else ann, "/elsewhere/" if moved == "page" else PAGE
        name = {"form": "moved"} if moved == "form" else {}
        kind = {"kind": "refused"} if moved == "kind" else {}
        Draft.objects.update(user=reader, page_digest=cipher.page_digests(reader, page)[0], **name, **kind)
        with caplog.at_level(logging.WARNING, "idlewatch"):
            assert found(reader, page) == []
        assert caplog.messages == ["A draft can't be decrypted (DecryptionError) and is deleted."]
        assert not Draft.objects.exists()

    @pytest.mark.parametrize("ciphertext", ["", "nonsense", "ä", "gAAAAA"])
    def test_one_that_was_changed_is_deleted_and_the_others_are_found(self, ann: User, ciphertext: str):
        save(ann)
        save(ann, form="other")
        Draft.objects.filter(form="letter").update(ciphertext=ciphertext)
        assert found(ann) == [("other", FIELDS)]
        assert Draft.objects.count() == 1

    def test_one_whose_content_is_no_draft_is_deleted(self, ann: User):
        save(ann)
        row = Draft.objects.get()
        row.ciphertext = cipher.encrypt(b'{"fields": 7}', str(ann.pk), row.page_digest, row.form, row.kind)
        row.save()
        assert found(ann) == []
        assert not Draft.objects.exists()


class TestTransactions:
    @pytest.mark.django_db(transaction=True)
    def test_threads_that_save_at_once_all_succeed(self, ann: User):
        failed: list[Exception] = []

        def run(worker: int) -> None:
            try:
                for number in range(10):
                    save(ann, form=f"{(number if worker else 9 - number) % 4}")
                    drafts.delete(ann, PAGE, f"{number % 3}")
            except Exception as error:  # noqa: BLE001 - raised in a thread
                failed.append(error)
            finally:
                connections.close_all()

        threads = [Thread(target=run, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []

    def test_a_change_locks_the_user_first(self, ann: User, monkeypatch: pytest.MonkeyPatch):
        # SQLite has no such lock, and ignores it.
        asked: list[dict[str, Any]] = []
        really = QuerySet.select_for_update

        def select(self: Any, **options: Any) -> Any:
            if self.model is User:
                asked.append(options)
            return really(self)

        monkeypatch.setattr(QuerySet, "select_for_update", select)
        save(ann)
        drafts.delete(ann, PAGE, "letter")
        assert asked == [{"no_key": False}] * 2


class TestSecretKey:
    @pytest.fixture
    def fallbacks(self, ann: User, settings: Any) -> None:
        """Save a draft, then replace the secret key."""
        save(ann)
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]

    @pytest.mark.usefixtures("fallbacks")
    def test_a_draft_under_a_fallback_key_is_found_replaced_and_deleted(self, ann: User, settings: Any):
        assert found(ann) == [("letter", FIELDS)]
        save(ann, LATER)
        assert Draft.objects.count() == 1
        fallbacks, settings.SECRET_KEY_FALLBACKS = settings.SECRET_KEY_FALLBACKS, []
        assert found(ann) == [("letter", LATER)]
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "newest", ["new", *fallbacks]
        drafts.delete(ann, PAGE, "letter")
        assert not Draft.objects.exists()

    @pytest.mark.usefixtures("fallbacks")
    def test_a_key_that_is_gone_finds_nothing_and_saves_again(self, ann: User, settings: Any):
        settings.SECRET_KEY_FALLBACKS = []
        assert found(ann) == []
        save(ann)
        assert found(ann) == [("letter", FIELDS)]


class TestAge:
    @pytest.mark.rule("R33")
    @pytest.mark.parametrize("age", [86400, 60])
    def test_a_draft_is_found_for_so_long(self, ann: User, settings: Any, age: float):
        settings.IDLEWATCH = {} if age == 86400 else {"DRAFT_AGE": age}
        save(ann)
        assert len(found(ann, at=START + age - 1)) == 1
        assert found(ann, at=START + age) == []

    def test_saving_deletes_what_is_too_old_of_that_user_and_the_sweep_of_all(
        self, ann: User, bob: User, settings: Any, monkeypatch: pytest.MonkeyPatch
    ):
        save(ann)
        save(bob)
        save(ann, form="new", at=START + 86400)
        assert sorted(Draft.objects.values_list("user__username", "form")) == [("ann", "new"), ("bob", "letter")]
        monkeypatch.setattr(drafts, "SWEEP_BATCH_SIZE", 1)
        assert drafts.sweep(START + 86400)
        assert not drafts.sweep(START + 86400)
        assert list(Draft.objects.values_list("user__username", "form")) == [("ann", "new")]
        settings.IDLEWATCH = {"DRAFT_AGE": 0}
        assert drafts.sweep(START + 86400)
        assert not Draft.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_the_timer_sweeps_once_an_hour_and_again_soon_where_it_failed(
        self, ann: User, clock: Time, monkeypatch: pytest.MonkeyPatch
    ):
        timer = tick(clock)
        save(ann, at=clock.now - 86400)
        clock.pass_(3599)
        tick(clock, timer)
        assert Draft.objects.exists()
        clock.pass_(1)
        with monkeypatch.context() as broken:
            broken.setattr(timer_module, "SWEEPS", [Mock(side_effect=OperationalError("database is locked"))])
            with pytest.raises(OperationalError):
                tick(clock, timer)
        clock.pass_(1)
        tick(clock, timer)
        assert not Draft.objects.exists()


class TestBounds:
    def test_a_form_that_is_too_large_is_refused_and_the_draft_before_stays(self, ann: User):
        save(ann)
        room = drafts.MAX_SIZE - len('[["body",""]]')
        with pytest.raises(BadMessage, match=f"Expected at most {drafts.MAX_SIZE} bytes"):
            save(ann, [("body", "x" * (room + 1))])
        assert found(ann) == [("letter", FIELDS)]
        assert save(ann, [("body", "x" * room)])

    def test_a_form_of_too_many_fields_is_refused(self, ann: User):
        fields = [(f"field{number}", "") for number in range(drafts.MAX_FIELDS + 1)]
        with pytest.raises(BadMessage, match="Expected at most 200 fields, got 201"):
            save(ann, fields)
        assert save(ann, fields[1:])

    def test_a_form_that_was_sent_to_too_long_an_address_is_refused(self, ann: User):
        content = drafts.Content(FIELDS, "/" * 2049)
        with pytest.raises(BadMessage, match="at most 2048 characters, got 2049"):
            drafts.put(ann, PAGE, "letter", Draft.Kind.REFUSED, content, START)

    @pytest.mark.parametrize("kind", Draft.Kind)
    def test_a_user_has_so_many_of_a_kind_and_the_oldest_goes(self, ann: User, bob: User, kind: Draft.Kind):
        most = drafts.MAX_DRAFTS[kind]
        [other] = set(Draft.Kind) - {kind}
        drafts.put(ann, PAGE, "letter", other, drafts.Content(FIELDS), START)
        for user, number in ((bob, 0), *((ann, number) for number in (*range(most), 0, most))):
            drafts.put(
                user, f"/{number}/", "letter", kind, drafts.Content(FIELDS), START + number + most * (number == 0)
            )
        assert Draft.objects.filter(user=ann, kind=kind).count() == most
        assert found(ann, "/1/", START + most) == []
        assert len(found(ann, "/0/", START + most)) == len(found(ann, f"/{most}/", START + most)) == 1
        assert Draft.objects.filter(user=bob).count() == Draft.objects.filter(kind=other).count() == 1

    def test_the_client_knows_the_server_s_bounds_and_names(self):
        client = "".join(path.read_text() for path in (ROOT / "static" / "idlewatch" / "drafts").glob("*.js"))
        assert f"const MAX_NAME_LENGTH = {drafts.MAX_FORM_LENGTH};" in client
        assert f'const PRIVATE = "{redaction.NAMES_FIELD}";' in client

    def test_they_are_documented(self):
        page = (ROOT / "docs" / "drafts.md").read_text()
        draft, too_late = drafts.MAX_DRAFTS.values()
        assert f"{drafts.MAX_SIZE // 1024} KiB of fields as JSON, {drafts.MAX_FIELDS} fields" in page
        assert f"{draft} drafts and {too_late} refused forms a user" in page
        assert f"within {rejected_forms.ACCEPTANCE_PERIOD / 60:.0f} minutes" in page
        assert f"more than {rejected_forms.MAX_BODY >> 20} MiB" in page
