from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browsing import sign_in, until
from tests.support.serving import ROOT, Server, clean_environment, demo, free_port

pytestmark = [pytest.mark.server, pytest.mark.browser]

LIMITS = {"IDLEWATCH_IDLE_TIMEOUT": "60", "IDLEWATCH_WARN_BEFORE": "20", "IDLEWATCH_CLOSE_GRACE": "10"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with demo(tmp_path_factory.mktemp("demo"), **LIMITS) as server:
        yield server


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with demo(tmp_path_factory.mktemp("deployed"), DEBUG="0", **LIMITS) as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def violations(page: Page) -> list[str]:
    """Return a list that collects the errors in the page's console from now on."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


class TestPage:
    def test_it_asks_for_a_login_and_comes_back(self, page: Page, server: Server):
        page.goto(server.url("/"))
        expect(page).to_have_url(server.url("/accounts/login/?next=/"))
        sign_in(page, server.url("/"))
        expect(page).to_have_url(server.url("/"))

    def test_it_shows_the_live_state(self, page: Page, server: Server):
        sign_in(page, server.url("/"))
        state = page.locator("#idlewatch-state")
        expect(state).to_have_attribute("data-phase", "active")
        until(page, "window.idlewatch?.state?.phase === 'active'")
        until(page, "Number(document.querySelector('#idlewatch-state').dataset.remaining) < 58")

    def test_it_says_what_the_limits_are(self, page: Page, server: Server):
        sign_in(page, server.url("/"))
        facts = page.locator(".facts")
        expect(facts).to_contain_text("1 minute")
        expect(facts).to_contain_text("20 seconds")

    def test_the_hold_button_holds_and_releases(self, page: Page, server: Server):
        sign_in(page, server.url("/"))
        until(page, "window.idlewatch?.state")
        button = page.locator("#hold")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        until(page, "window.idlewatch.state.held")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "false")
        until(page, "!window.idlewatch.state.held")

    @pytest.mark.parametrize("kind", ["passive", "plain"])
    def test_the_poll_shows_its_answer(self, kind: str, page: Page, server: Server):
        sign_in(page, server.url("/"))
        page.wait_for_load_state("load")
        with page.expect_request("**/demo/clock/") as polled:
            page.check(f"input[name=poll][value={kind}]")
        assert polled.value.headers.get("idlewatch-passive") == ("1" if kind == "passive" else None)
        expect(page.locator("#poll [data-part=answer]")).to_have_text(re.compile(r"The server says \d\d:\d\d:\d\d\."))

    @pytest.mark.rule("R42")
    def test_signing_out_leads_to_the_login_page(self, page: Page, server: Server):
        sign_in(page, server.url("/"))
        page.click("button:text-is('Sign out')")
        expect(page).to_have_url(re.compile("/accounts/login/"))

    @pytest.mark.rule("R27")
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_it_fits_a_narrow_screen_and_its_policy(self, scheme: str, browser: Browser, server: Server):
        context = browser.new_context(viewport={"width": 320, "height": 640}, color_scheme=scheme)
        page = context.new_page()
        heard = violations(page)
        sign_in(page, server.url("/"))
        until(page, "window.idlewatch?.state")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert heard == []
        context.close()

    def test_the_admin_works_under_the_same_policy(self, page: Page, server: Server):
        heard = violations(page)
        sign_in(page, server.url("/accounts/login/?next=/admin/"), "admin")
        expect(page.locator("#site-name")).to_be_visible()
        assert heard == []


class TestWithoutDebug:
    @pytest.mark.rule("R27")
    def test_the_client_runs_from_hashed_files(self, page: Page, deployed: Server):
        heard = violations(page)
        sign_in(page, deployed.url("/"))
        until(page, "window.idlewatch?.state?.phase === 'active'")
        scripts = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
        ours = [name for name in scripts if "/static/" in name and name.endswith(".js")]
        assert len(ours) == 2, ours
        assert all(re.search(r"\.[0-9a-f]{12}\.js$", name) for name in ours), ours
        assert heard == []

    @pytest.mark.parametrize("path", ["/healthz", "/readyz"])
    def test_probes_answer(self, path: str, deployed: Server):
        assert urlopen(deployed.url(path)).status == 200


class TestMakeRun:
    @pytest.mark.timeout(120)
    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
    def test_it_serves_the_demo_and_stops_when_told(self, how: signal.Signals, tmp_path: Path):
        port = free_port()
        environ = clean_environment(PORT=str(port), DATABASE_URL=f"sqlite:///{tmp_path / 'db.sqlite3'}")
        running = subprocess.Popen(
            ["make", "run"],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    page = urlopen(f"http://127.0.0.1:{port}/").read().decode()
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    assert running.poll() is None
                    time.sleep(0.1)
            assert "after 1 minute without activity" in page
            # A terminal signals the whole group; a supervisor, the process that it started.
            if how is signal.SIGINT:
                os.killpg(running.pid, how)
            else:
                running.send_signal(how)
            said, _ = running.communicate(timeout=20)
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
        assert f"http://127.0.0.1:{port}/" in said
        assert "demo / demo" in said
        assert "admin / admin" in said
        assert "Traceback" not in said
        with pytest.raises(OSError, match="refused"):
            urlopen(f"http://127.0.0.1:{port}/")
