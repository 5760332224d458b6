"""A browser that asks for another language than English."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.utils import translation
from django.utils.translation import gettext
from playwright.sync_api import Browser, Page, expect

from idlewatch.core.activity import Reason
from idlewatch.http.i18n import NOTICES
from tests.browser.conftest import BRIEF, IDLE
from tests.browser.visits import visit
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]

SOON = IDLE * 1000 + 10_000


@pytest.fixture
def speaker(browser: Browser, site: Server, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A signed-in tab of a browser that asks for a language."""
    context = browser.new_context(locale=request.param)
    page, _ = visit(context, site.url("/"), BRIEF)
    yield page
    context.close()


@pytest.mark.parametrize(
    ("speaker", "language", "direction"),
    [("ar-EG", "ar", "rtl"), ("zh-CN", "zh-hans", "ltr")],
    indirect=["speaker"],
)
def test_the_warning_and_the_reason_are_in_the_language_of_the_browser(speaker: Page, language: str, direction: str):
    with translation.override(language):
        title, stay = gettext("Are you still there?"), gettext("Stay signed in")
        text = gettext("Time left:")
        reason = str(NOTICES[Reason.IDLE])
    dialog = speaker.get_by_role("alertdialog", name=title)
    expect(dialog).to_be_visible(timeout=SOON)
    expect(dialog).to_have_css("direction", direction)
    expect(dialog.get_by_role("button", name=stay)).to_be_focused()
    expect(dialog.get_by_text(text)).to_be_attached()
    host = speaker.evaluate("(({lang, dir}) => [lang.toLowerCase(), dir])(document.querySelector('.idlewatch'))")
    assert host == [language, direction]
    stay_at, sign_out_at = dialog.get_by_role("button").evaluate_all(
        "buttons => buttons.map((button) => button.getBoundingClientRect())"
    )
    assert (stay_at["x"] > sign_out_at["x"]) == (direction == "rtl")
    expect(speaker).to_have_url(re.compile("/accounts/login/"), timeout=SOON)
    expect(speaker.get_by_role("status").filter(has_text=reason)).to_be_visible()
