"""Messages of an operator in the tabs."""

from __future__ import annotations

from itertools import pairwise

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenPage, open_tab
from tests.browser.played_tab import ENDED, OVER, overlay, violations
from tests.support.serving import Server
from tests.tools.screenshots import NARROW

pytestmark = [pytest.mark.server, pytest.mark.browser]

SENTENCE = "Save your work before nine o’clock, please. "
LONGEST_TEXT = f"We move to new machines tonight.\n\n{SENTENCE * 10}"[:500].strip()


def said(text: str, number: int = 1) -> dict[str, str]:
    return {"type": "notice", "id": str(number), "text": text}


def notice(page: Page, text: str) -> Locator:
    return page.get_by_role("alert").filter(has_text=text)


def dismiss(shown: Locator) -> None:
    shown.get_by_role("button", name="Dismiss").click()
    expect(shown).to_be_hidden()


def test_every_tab_of_the_session_shows_it_and_each_dismisses_its_own(page: Page, site: Server):
    other = open_tab(page.context, site.url("/"))
    watch = page.evaluate("fetch('/watch-id/').then(answer => answer.json())")["watch_id"]
    asked = page.evaluate(
        "watch => fetch(`/notify/?watch=${watch}&text=The+site+closes+at+noon.`).then(answer => answer.json())", watch
    )
    assert asked == {"reached": 2, "open": 2}
    for tab in (page, other):
        expect(notice(tab, "The site closes at noon.")).to_be_visible()
    dismiss(notice(page, "The site closes at noon."))
    expect(notice(other, "The site closes at noon.")).to_be_visible()
    # It is not kept.
    other.reload()
    expect(other.locator("#idlewatch-state")).to_be_visible()
    expect(notice(other, "The site closes at noon.")).to_have_count(0)


def test_it_is_shown_as_text_and_its_lines_stay_lines(visited):
    page, played = visited
    text = "<img src=x onerror=alert(1)><script>alert(2)</script> &amp; javascript:alert(3)"
    dialogs: list[object] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog), dialog.dismiss()))
    played.say(said(text))
    expect(notice(page, text)).to_be_visible()
    assert notice(page, text).locator("img, script").count() == 0
    assert dialogs == []
    played.say(said("First\nsecond\n\nthird", 2))
    lines = notice(page, "First").locator("[data-idlewatch-part=text]").inner_text().split("\n")
    assert lines == ["First", "second", "", "third"]


def test_it_leaves_the_focus_shows_once_and_stays_dismissed(visited):
    page, played = visited
    page.focus("textarea")
    played.say(said("Noon"))
    played.say(said("Noon"))
    expect(notice(page, "Noon")).to_have_count(1)
    page.keyboard.type("still typing")
    expect(page.locator("textarea")).to_have_value("still typing")
    dismiss(notice(page, "Noon"))
    played.say(said("Noon"))
    played.say(said("One", 2))
    expect(notice(page, "One")).to_be_visible()
    expect(notice(page, "Noon")).to_have_count(0)


def test_several_can_all_be_read_and_dismissed_in_any_order(visited):
    page, played = visited
    for number in range(3):
        played.say(said(f"Word {number}", number))
    boxes = []
    for number in range(3):
        shown = notice(page, f"Word {number}")
        expect(shown).to_be_visible()
        boxes.append(shown.bounding_box())
    assert all(above["y"] + above["height"] <= below["y"] for above, below in pairwise(boxes))
    for number in (1, 0, 2):
        dismiss(notice(page, f"Word {number}"))


def test_it_is_gone_from_sight_where_the_content_is(visited):
    page, played = visited
    played.say(said("Between us"))
    expect(notice(page, "Between us")).to_be_visible()
    played.say(OVER)
    expect(overlay(page)).to_be_visible()
    expect(page.get_by_text("Between us")).to_be_hidden()
    played.say(said("Later", 2))
    played.say(ENDED)
    expect(page.get_by_text("You have been signed out").first).to_be_visible()
    for text in ("Between us", "Later"):
        expect(page.get_by_text(text)).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_longest_fits_a_small_screen(scheme: str, open_page: OpenPage):
    page, played = open_page(axe=True, viewport=NARROW, color_scheme=scheme)
    played.say(said(LONGEST_TEXT))
    played.say(said("Another", 2))
    shown = notice(page, "We move")
    expect(shown).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = shown.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= NARROW["width"]
    assert violations(page) == []
    # However far down it is, the keyboard reaches it.
    button = shown.get_by_role("button", name="Dismiss")
    button.focus()
    expect(button).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(shown).to_be_hidden()
