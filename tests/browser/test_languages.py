"""What a person meets whose browser asks for another language than English."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.utils import translation
from django.utils.translation import gettext
from playwright.sync_api import Browser, Page, expect

from idlewatch.core.activity import Reason
from idlewatch.http.i18n import NOTICES
from tests.browser.conftest import connected
from tests.support.browsing import sign_in
from tests.support.serving import Server, demo

pytestmark = [pytest.mark.server, pytest.mark.browser]

IDLE, WARN = 9.0, 5.0
SOON = IDLE * 1000 + 10_000
SPOKEN = {
    # Seconds, and how they are said: 1, 2, 5, 21 and 22 differ where languages have many plurals.
    "en": {60: "1 minute", 120: "2 minutes", 90: "1 minute, 30 seconds", 0: "0 seconds"},
    "de": {60: "1 Minute", 120: "2 Minuten", 90: "1 Minute, 30 Sekunden"},
    "fr": {60: "1 minute", 120: "2 minutes"},
    "pl": {60: "1 minuta", 120: "2 minuty", 300: "5 minut", 1260: "21 minut", 1320: "22 minuty"},
    "uk": {60: "1 хвилина", 120: "2 хвилини", 300: "5 хвилин", 1260: "21 хвилина"},
    "ar": {60: "دقيقة", 120: "دقيقتان", 300: "5 دقائق", 660: "11 دقيقة", 150: "دقيقتان و30 ثانية"},
    "ja": {60: "1 分", 150: "2 分 30 秒"},
    "zh-Hans": {120: "2分钟", 150: "2分钟30秒钟"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"IDLE_TIMEOUT": IDLE, "WARN_BEFORE": WARN, "HEARTBEAT": 0.5}
    environ = {f"IDLEWATCH_{key}": str(value) for key, value in limits.items()}
    directory = tmp_path_factory.mktemp("languages")
    with demo(directory, DJANGO_SETTINGS_MODULE="tests.browser.languages_settings", **environ) as server:
        yield server


@pytest.fixture
def speaker(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A signed-in tab of a browser that asks for a language."""
    context = browser.new_context(locale=request.param)
    page = context.new_page()
    sign_in(page, server.url("/"))
    connected(page)
    yield page
    context.close()


@pytest.mark.parametrize(
    ("speaker", "language", "direction"),
    [("de-AT", "de", "ltr"), ("ar-EG", "ar", "rtl"), ("zh-CN", "zh-hans", "ltr")],
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
    stay_at, log_out_at = dialog.get_by_role("button").evaluate_all(
        "buttons => buttons.map((button) => button.getBoundingClientRect())"
    )
    assert (stay_at["x"] > log_out_at["x"]) == (direction == "rtl")
    expect(speaker).to_have_url(re.compile("/accounts/login/"), timeout=SOON)
    expect(speaker.get_by_role("status").filter(has_text=reason)).to_be_visible()


@pytest.mark.parametrize("speaker", ["en"], indirect=True)
def test_times_are_said_as_each_language_says_them(speaker: Page, server: Server):
    said = speaker.evaluate(
        """async ([address, times]) => {
            const { I18n } = await import(address);
            const say = (language, seconds) => new I18n({ strings: {}, language }).duration(seconds);
            return times.map(([language, seconds]) => say(language, seconds));
        }""",
        [
            server.url("/static/idlewatch/ui/i18n.js"),
            [(language, seconds) for language in SPOKEN for seconds in SPOKEN[language]],
        ],
    )
    expected = [text for times in SPOKEN.values() for text in times.values()]
    # Which space stands between a number and its unit is the browser's affair.
    assert [re.sub(r"\s", " ", text) for text in said] == expected
