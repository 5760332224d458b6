from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import InvalidToken
from django.core.exceptions import ImproperlyConfigured

from idlewatch.conf import conf
from idlewatch.drafts import redaction, rejected_forms
from idlewatch.drafts import service as drafts

ROOT = Path(__file__).resolve().parents[3]
WHOSE = ("7", "place", "form", "draft")


def test_what_was_sealed_opens_for_exactly_what_it_was_sealed_for():
    sealed = drafts.seal(b"a letter", *WHOSE)
    assert drafts.unseal(sealed, *WHOSE) == b"a letter"
    assert b"letter" not in sealed.encode()
    for index in range(4):
        other = [*WHOSE]
        other[index] += "x"
        with pytest.raises(InvalidToken):
            drafts.unseal(sealed, *other)
    with pytest.raises(InvalidToken):
        drafts.unseal(sealed, "7", "placeform", "", "draft")


def test_the_same_twice_does_not_look_the_same():
    assert drafts.seal(b"a letter", *WHOSE) != drafts.seal(b"a letter", *WHOSE)


def other_letter(sealed: str) -> str:
    return sealed[:40] + ("A" if sealed[40] == "B" else "B") + sealed[41:]


@pytest.mark.parametrize("change", [lambda it: it[:-4], other_letter, lambda it: f"A{it}", lambda it: ""])
def test_what_was_tampered_with_does_not_open(change):
    with pytest.raises(InvalidToken):
        drafts.unseal(change(drafts.seal(b"a letter" * 9, *WHOSE)), *WHOSE)


def test_keys_that_were_replaced_open_and_the_newest_seals(settings):
    old = drafts.seal(b"a letter", *WHOSE)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert drafts.unseal(old, *WHOSE) == b"a letter"
    new = drafts.seal(b"a letter", *WHOSE)
    settings.SECRET_KEY_FALLBACKS = []
    assert drafts.unseal(new, *WHOSE) == b"a letter"
    with pytest.raises(InvalidToken):
        drafts.unseal(old, *WHOSE)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({}, 86400),
        ({"DRAFT_AGE": timedelta(hours=1)}, 3600),
        ({"DRAFT_AGE": 0}, 0),
        ({"DRAFT_AGE": timedelta(days=365)}, 31_536_000),
    ],
)
def test_how_long_they_are_kept_is_a_span(settings, given, seconds):
    settings.IDLEWATCH = given
    assert conf.draft_age == seconds
    assert drafts.is_on() is (seconds > 0)


@pytest.mark.parametrize("given", [None, -1, "1", True, 31_536_001, 1e11])
def test_what_is_no_span_names_itself(settings, given):
    settings.IDLEWATCH = {"DRAFT_AGE": given}
    with pytest.raises(
        ImproperlyConfigured,
        match=re.escape(f"IDLEWATCH['DRAFT_AGE'] is {given!r}; expected 0 or more seconds, 31536000 at most,"),
    ):
        _ = conf.draft_age


def test_the_client_knows_the_server_s_bounds_and_names():
    client = (ROOT / "static" / "idlewatch" / "drafts" / "drafts.js").read_text()
    assert f"const LONGEST_NAME = {drafts.MAX_FORM};" in client
    assert f'const PRIVATE = "{redaction.NAMES_FIELD}";' in client


def test_the_bounds_are_documented_as_they_are():
    page = (ROOT / "docs" / "drafts.md").read_text()
    draft, too_late = drafts.MAX_KEPT.values()
    assert f"{drafts.MAX_SIZE // 1024} KiB of fields as JSON, {drafts.MAX_FIELDS} fields" in page
    assert f"{draft} drafts and {too_late} refused forms a user" in page
    assert f"within {rejected_forms.KEEP_WITHIN / 60:.0f} minutes" in page
    assert f"more than {rejected_forms.MAX_BODY >> 20} MiB" in page
