"""A real Chromium for the tests: the system's, through Playwright."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Error, Page, Playwright, sync_playwright

from tests.support.serving import find_program

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
SHELL = "chromium-headless-shell"
"""Chromium without its windows: the same engine at a fifth of the processor time."""


def executable(*, shell: bool = False) -> str:
    """Return the path of the system's Chromium, or of its shell if there is one and it will do."""
    wanted = [SHELL] if shell else filter(None, [os.environ.get("CHROMIUM")])
    return find_program(*wanted, *NAMES, remedy="run scripts/ensure-chromium, or set CHROMIUM to its path")


@contextmanager
def launched(playwright: Playwright, *, shell: bool = False) -> Iterator[Browser]:
    """Run a browser with an empty profile."""
    browser = playwright.chromium.launch(executable_path=executable(shell=shell), args=list(FLAGS))
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser with an empty profile, outside the tests."""
    with sync_playwright() as playwright, launched(playwright) as browser:
        yield browser


def sign_in(page: Page, url: str, username: str = "demo", password: str | None = None) -> None:
    """Fill the login form that `url` leads to."""
    page.goto(url)
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", password or username)
    page.click("main button[type=submit]")


def stay_covered(page: Page) -> None:
    """Have a script of the page take the user on itself: at the end it stays where it is, covered."""
    page.evaluate("document.addEventListener('idlewatch:ended', event => event.preventDefault())")


def until(page: Page, expression: str, within: float = 10.0) -> None:
    """Wait for an expression to be true; Playwright's own way needs `eval`, which the site's policy forbids."""
    deadline = time.monotonic() + within
    while not _is_true(page, expression):
        assert time.monotonic() < deadline, f"{expression} is still false after {within:g} s"
        page.wait_for_timeout(50)


def _is_true(page: Page, expression: str) -> bool:
    try:
        return bool(page.evaluate(expression))
    except Error:
        # The page is on its way elsewhere.
        return False
