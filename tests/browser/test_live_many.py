"""The live page of a site on which very many are signed in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.operators import SOON, act, cell, rows, site, users, watch
from tests.support.serving import Server

pytestmark = [
    pytest.mark.server,
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.usefixtures("closed_windows"),
]

MANY = 10_000


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with site(tmp_path_factory.mktemp("crowded"), MANY) as server:
        yield server


def test_search_pages_and_sort_on_ten_thousand(browser: Browser, crowded: Server):
    page = watch(browser, crowded)
    expect(page.locator("[data-count=live]")).to_have_text("10,001")
    assert rows(page).count() == 50
    page.locator("[data-page=last]").click()
    expect(page.locator("[data-idlewatch-part=page]")).to_have_text("Page 201 of 201", timeout=SOON)
    expect(rows(page)).to_have_count(1)
    page.locator("[data-sort=user] button").click()
    expect(cell(page, "admin", "user")).to_be_visible(timeout=SOON)
    page.locator("[data-sort=user] button").click()
    expect(cell(page, "user0499", "user").first).to_be_visible(timeout=SOON)
    expect(page.locator("[data-sort=user]")).to_have_attribute("aria-sort", "descending")
    page.fill("#live-search", "user0042")
    expect(page.locator("[data-idlewatch-part=total]")).to_have_text("20 sessions", timeout=SOON)
    assert set(users(page)) == {"user0042"}
    assert parse_qs(urlsplit(page.url).query) == {"q": ["user0042"], "sort": ["-user"]}
    page.reload()
    expect(page.locator("[data-idlewatch-part=total]")).to_have_text("20 sessions", timeout=15_000)
    assert page.input_value("#live-search") == "user0042"
    page.locator("[data-count=connected]").click()
    expect(page.locator("[data-idlewatch-part=empty]")).to_have_text("No live session matches.", timeout=SOON)


def test_all_that_match_are_ended_and_progress_is_said(browser: Browser, crowded: Server):
    page = watch(browser, crowded, query="?q=user01")
    expect(page.locator("[data-idlewatch-part=total]")).to_have_text("2,000 sessions")
    page.locator("[data-idlewatch-part=select-page]").check()
    expect(page.locator("[data-idlewatch-part=select-all]")).to_have_text("Select all 2,000 matching sessions")
    page.locator("[data-idlewatch-part=select-all]").click()
    expect(page.locator("[data-idlewatch-part=selected]")).to_have_text("All matching sessions are selected.")
    dialog = act(page, "end")
    heading = dialog.locator("h2").inner_text()
    number = int(re.sub(r"\D", "", heading))
    assert number == 2_000
    dialog.locator("[data-idlewatch-part=do]:visible").click()
    progress = dialog.locator("#live-progress-words")
    expect(progress).to_have_text(re.compile(r"^[\d,]+ of 2,000$"))
    expect(dialog.locator("[data-idlewatch-part=close]")).to_be_visible(timeout=120_000)
    expect(dialog.locator("[data-idlewatch-part=said]")).to_have_text(f"{number:,} sessions ended.")


def test_a_long_action_is_stopped_in_between(browser: Browser, crowded: Server):
    page = watch(browser, crowded, query="?q=user02")
    page.locator("[data-idlewatch-part=select-page]").check()
    page.locator("[data-idlewatch-part=select-all]").click()
    dialog = act(page, "end")
    dialog.locator("[data-idlewatch-part=do]:visible").click()
    dialog.locator("[data-idlewatch-part=stop]").click()
    expect(dialog.locator("h2")).to_have_text("Stopped", timeout=60_000)
    expect(dialog.locator("[data-idlewatch-part=said]")).to_have_text(re.compile(r"^\d+ sessions ended\.$"))
    expect(page.locator("[data-idlewatch-part=outcome]")).to_have_text(re.compile(r"^Stopped\. \d+ sessions ended\.$"))
