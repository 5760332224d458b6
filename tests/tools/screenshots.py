"""Take pictures of all that users, operators and auditors see, in every state: `make screenshots`.

`scripts/screenshots dark rtl` takes those alone.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect

from tests.browser import played_live
from tests.browser.played_tab import ACTIVE, ENDED, LAST, LIMIT, OVER, WARNED, Played, dialog, overlay, part, visit
from tests.support.browsing import chromium, sign_in
from tests.support.serving import ROOT, Server, demo

SHOTS = ROOT / "build" / "screenshots"
WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 320, "height": 640}
VARIANTS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": WIDE},
    "320px": {"viewport": NARROW},
    "400%": {"viewport": {"width": 320, "height": 256}, "device_scale_factor": 4},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "rtl": {"viewport": WIDE, "locale": "ar"},
    "rtl-320px": {"viewport": NARROW, "locale": "ar"},
    "forced-colors": {"viewport": WIDE, "forced_colors": "active"},
}

State = Callable[[Page, Played], None]


def active(page: Page, played: Played) -> None:
    played.say(ACTIVE)


def warned(page: Page, played: Played) -> None:
    played.say(WARNED)
    expect(dialog(page)).to_be_visible()


def last_seconds(page: Page, played: Played) -> None:
    played.say(LAST)
    expect(dialog(page)).to_be_visible()


def warned_offline(page: Page, played: Played) -> None:
    played.say(WARNED)
    played.go_away()
    expect(part(page, "trouble")).to_be_visible(timeout=20_000)


def limit(page: Page, played: Played) -> None:
    played.say(LIMIT)
    expect(part(page, "alert").first).to_be_visible()


def operator_message(page: Page, played: Played) -> None:
    played.say({"type": "notice", "id": "1", "text": "The site is closed for maintenance from noon to one."})
    expect(part(page, "alert").first).to_be_visible()


def offline(page: Page, played: Played) -> None:
    played.go_away()
    expect(part(page, "badge")).to_be_visible(timeout=20_000)


def checking(page: Page, played: Played) -> None:
    played.say(OVER)
    expect(overlay(page)).to_be_visible()


def hidden(page: Page, played: Played) -> None:
    checking(page, played)
    played.go_away()
    expect(page.locator("[data-idlewatch-when=offline]").first).to_be_visible(timeout=20_000)


def ended(page: Page, played: Played) -> None:
    played.say(ENDED)
    expect(overlay(page)).to_be_visible()


def unsaved(page: Page, played: Played) -> None:
    page.fill("textarea", "Half a letter")
    ended(page, played)


def back_again(page: Page, played: Played) -> None:
    page.fill("textarea", "Half a letter")
    checking(page, played)
    played.say(ACTIVE)
    expect(overlay(page)).to_be_hidden()


STATES: list[State] = [
    active,
    warned,
    last_seconds,
    warned_offline,
    limit,
    operator_message,
    offline,
    checking,
    hidden,
    ended,
    unsaved,
    back_again,
]


def picture(page: Page, state: str, variant: str) -> None:
    page.wait_for_timeout(400)
    page.screenshot(path=SHOTS / f"{state}--{variant}.png")


def after_the_end(context: BrowserContext, server: Server, variant: str) -> None:
    """Take the pages that come without the client: where the reason is shown, and where the small window ends."""
    page = context.new_page()
    page.goto(server.url("/played/notice/?notice=You+have+been+signed+out+because+of+inactivity."))
    picture(page, "notice", variant)
    page.route("**/*.js", lambda route: route.abort())
    page.goto(server.url("/idlewatch/signed-in/"))
    picture(page, "signed-in", variant)
    page.close()


def take(browser: Browser, server: Server, state: StorageState, variant: str) -> None:
    for each in STATES:
        context = browser.new_context(storage_state=state, **VARIANTS[variant])
        page, played = visit(context, server.url("/played/page/"))
        each(page, played)
        picture(page, each.__name__.replace("_", "-"), variant)
        context.close()
    context = browser.new_context(storage_state=state, **VARIANTS[variant])
    after_the_end(context, server, variant)
    context.close()


def watching(browser: Browser, server: Server, variant: str) -> None:
    """Take the operators' live page."""
    for each in played_live.LIVE_STATES:
        context = browser.new_context(**VARIANTS[variant])
        page, played = played_live.visit(context, server)
        each(page, played)
        picture(page, f"live-{each.__name__.replace('_', '-')}", variant)
        context.close()


def looking_up(browser: Browser, server: Server, variant: str) -> None:
    """Take what an auditor reads, and a user's own sessions: those that the other pictures left behind."""
    context = browser.new_context(**VARIANTS[variant])
    page = context.new_page()
    sign_in(page, server.url("/accounts/login/?next=/healthz"), "admin")
    page.goto(server.url("/idlewatch/sessions/"))
    picture(page, "own-sessions", variant)
    page.goto(server.url("/admin/idlewatch/watchedsession/"))
    picture(page, "records", variant)
    page.locator("#result_list tbody th a").first.click()
    picture(page, "record", variant)
    context.close()


def signed_in(browser: Browser, server: Server) -> StorageState:
    context = browser.new_context()
    sign_in(context.new_page(), server.url("/"))
    state = context.storage_state()
    context.close()
    return state


def main(variants: list[str]) -> None:
    if not variants:
        shutil.rmtree(SHOTS, ignore_errors=True)
    SHOTS.mkdir(parents=True, exist_ok=True)
    settings = {"DJANGO_SETTINGS_MODULE": "tests.browser.settings"}
    with tempfile.TemporaryDirectory() as directory, demo(Path(directory), **settings) as server, chromium() as browser:
        state = signed_in(browser, server)
        for variant in variants or VARIANTS:
            take(browser, server, state, variant)
            watching(browser, server, variant)
            looking_up(browser, server, variant)
            print(f"{variant}: {len(list(SHOTS.glob(f'*--{variant}.png')))} pictures in {SHOTS.relative_to(ROOT)}/")


if __name__ == "__main__":
    main(sys.argv[1:])
