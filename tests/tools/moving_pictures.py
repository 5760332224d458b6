"""The README's moving pictures, of a real site: two tabs that warn, and the operators' live page.

`make screenshots` writes them to docs/images/, as animated WebP with a frame each half second.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect

from tests.browser.operators import act, confirm, enter, row, rows, site, watch
from tests.browser.played_tab import dialog, stay
from tests.support.browsing import sign_in, until
from tests.support.serving import ROOT, demo
from tests.tools.screenshots import WIDE

IMAGES = ROOT / "docs" / "images"
FRAME = 500
"""Milliseconds for which each frame is shown."""
LINGER = 4
"""Frames for which the last is shown, before it begins again."""
TAB = {"width": 560, "height": 420}
GAP = 8
"""Pixels between two pages."""
PEOPLE = {"ada": "IDLE_TIMEOUT:600", "grace": "IDLE_TIMEOUT:60|WARN_BEFORE:50", "demo": "IDLE_TIMEOUT:900"}
"""Users of the film, with the limits of their sessions."""
QUALITY = 60
"""Of the encoder, up to 100."""


class Film:
    """Frames of one or more pages, side by side."""

    def __init__(self, *pages: Page) -> None:
        self._pages = pages
        self._frames: list[Image.Image] = []

    def take(self, frames: int = 1) -> None:
        """Take so many frames, half a second apart."""
        for _ in range(frames):
            self._frames.append(_beside([Image.open(io.BytesIO(page.screenshot())) for page in self._pages]))
            self._pages[0].wait_for_timeout(FRAME)

    def save(self, name: str) -> Path:
        """Write the film, its last frame lingering."""
        IMAGES.mkdir(exist_ok=True)
        path = IMAGES / f"{name}.webp"
        first, *rest = [*self._frames, *[self._frames[-1]] * LINGER]
        first.save(path, save_all=True, append_images=rest, duration=FRAME, loop=0, quality=QUALITY, method=6)
        return path


def _beside(images: Sequence[Image.Image]) -> Image.Image:
    images = [image.resize((image.width * 7 // 8, image.height * 7 // 8)) for image in images]
    width = sum(image.width for image in images) + GAP * (len(images) - 1)
    picture = Image.new("RGB", (width, max(image.height for image in images)), "#888")
    left = 0
    for image in images:
        picture.paste(image, (left, 0))
        ImageDraw.Draw(picture).rectangle((left, 0, left + image.width - 1, image.height - 1), outline="#888")
        left += image.width + GAP
    return picture


def warning(browser: Browser, directory: Path) -> Path:
    """Film two tabs of one browser that are warned, and the click that clears both."""
    limits = {"IDLEWATCH_IDLE_TIMEOUT": "34", "IDLEWATCH_WARN_BEFORE": "30", "IDLEWATCH_HEARTBEAT": "2"}
    with demo(directory, **limits) as server:
        context = browser.new_context(viewport=TAB)
        left, right = context.new_page(), context.new_page()
        sign_in(left, server.url("/"))
        right.goto(server.url("/"))
        for page in (left, right):
            until(page, "window.idlewatch?.state?.phase === 'active'")
        film = Film(left, right)
        film.take(2)
        for page in (left, right):
            expect(dialog(page)).to_be_visible(timeout=20_000)
        film.take(6)
        stay(left).click()
        for page in (left, right):
            expect(dialog(page)).to_be_hidden()
        film.take(2)
        context.close()
    return film.save("warning")


def live_page(browser: Browser, directory: Path) -> Path:
    """Film the live page: running countdowns, a session that is warned, one that an operator ends."""
    with site(directory) as server:
        for name, limits in PEOPLE.items():
            enter(browser, server, name, limits)
        page = watch(browser, server, viewport=WIDE)
        page.locator("#toggle-nav-sidebar").click()
        expect(rows(page)).to_have_count(4, timeout=10_000)
        film = Film(page)
        film.take(4)
        row(page, "ada").locator("input[type=checkbox]").check()
        film.take(2)
        act(page, "end")
        film.take(2)
        confirm(page)
        film.take(4)
    return film.save("live")


def main(browser: Browser) -> None:
    """Make both pictures, and print how large they are."""
    for film in (warning, live_page):
        with tempfile.TemporaryDirectory() as directory:
            path = film(browser, Path(directory))
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size >> 10} KiB")


if __name__ == "__main__":
    from tests.support.browsing import chromium

    with chromium() as browser:
        main(browser)
