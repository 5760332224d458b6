from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from idlewatch.conf import conf
from idlewatch.drafts import redaction, rejected_forms
from idlewatch.drafts import service as drafts

ROOT = Path(__file__).resolve().parents[3]


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


def test_the_client_knows_the_server_s_bounds_and_names():
    client = "".join(path.read_text() for path in (ROOT / "static" / "idlewatch" / "drafts").glob("*.js"))
    assert f"const MAX_NAME_LENGTH = {drafts.MAX_FORM_LENGTH};" in client
    assert f'const PRIVATE = "{redaction.NAMES_FIELD}";' in client


def test_the_bounds_are_documented_as_they_are():
    page = (ROOT / "docs" / "drafts.md").read_text()
    draft, too_late = drafts.MAX_DRAFTS.values()
    assert f"{drafts.MAX_SIZE // 1024} KiB of fields as JSON, {drafts.MAX_FIELDS} fields" in page
    assert f"{draft} drafts and {too_late} refused forms a user" in page
    assert f"within {rejected_forms.ACCEPTANCE_PERIOD / 60:.0f} minutes" in page
    assert f"more than {rejected_forms.MAX_BODY >> 20} MiB" in page
