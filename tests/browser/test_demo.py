from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.browsing import sign_in, until
from tests.support.serving import ROOT, Server, clean_environment, demo, free_port
from tests.tools.screenshots import NARROW

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
def page(context: BrowserContext, console: list[str]) -> Page:
    """A tab as wide as a telephone, in which nothing violates the policy."""
    page = context.new_page()
    page.set_viewport_size(NARROW)
    return page


@pytest.mark.rule("R27", "R42")
def test_a_user_signs_in_watches_the_session_holds_it_polls_and_signs_out(page: Page, server: Server):
    page.goto(server.url("/"))
    expect(page).to_have_url(server.url("/accounts/login/?next=/"))
    sign_in(page, page.url)
    expect(page).to_have_url(server.url("/"))
    expect(page.locator("#idlewatch-state")).to_have_attribute("data-phase", "active")
    until(page, "Number(document.querySelector('#idlewatch-state').dataset.remaining) < 58")
    expect(page.locator(".facts")).to_contain_text("1 minute")
    expect(page.locator(".facts")).to_contain_text("20 seconds")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    button = page.locator("#hold")
    for pressed in ("true", "false"):
        button.click()
        expect(button).to_have_attribute("aria-pressed", pressed)
        until(page, f"window.idlewatch.state.held === {pressed}")
    for kind, header in (("passive", "1"), ("plain", None)):
        with page.expect_request("**/demo/clock/") as polled:
            page.check(f"input[name=poll][value={kind}]")
        assert polled.value.headers.get("idlewatch-passive") == header
    expect(page.locator("#poll [data-part=answer]")).to_have_text(re.compile(r"The server says \d\d:\d\d:\d\d\."))
    page.click("button:text-is('Sign out')")
    expect(page).to_have_url(re.compile("/accounts/login/"))


def test_the_admin_works_under_the_same_policy(page: Page, server: Server):
    sign_in(page, server.url("/accounts/login/?next=/admin/"), "admin")
    expect(page.locator("#site-name")).to_be_visible()


@pytest.mark.rule("R27")
def test_without_debug_the_client_runs_from_hashed_files(page: Page, deployed: Server):
    sign_in(page, deployed.url("/"))
    until(page, "window.idlewatch?.state?.phase === 'active'")
    # The client knows its state before the page's other scripts have loaded.
    page.wait_for_load_state("load")
    files = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    scripts = [name for name in files if "/static/" in name and name.endswith(".js")]
    assert len(scripts) == 2, scripts
    assert all(re.search(r"\.[0-9a-f]{12}\.js$", name) for name in scripts), scripts


@pytest.mark.timeout(120)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_make_run_serves_the_demo_and_stops_when_told(how: signal.Signals, tmp_path: Path):
    port = free_port()
    environ = clean_environment(PORT=str(port), DATABASE_URL=f"sqlite:///{tmp_path / 'db.sqlite3'}")
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    running = subprocess.Popen(["make", "run"], cwd=ROOT, env=environ, start_new_session=True, **pipes)
    try:
        deadline = time.monotonic() + 60
        page = ""
        while not page:
            assert time.monotonic() < deadline
            assert running.poll() is None
            with suppress(OSError):
                page = urlopen(f"http://127.0.0.1:{port}/").read().decode()
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
    for expected in (f"http://127.0.0.1:{port}/", "demo / demo", "admin / admin"):
        assert expected in said
    assert "Traceback" not in said
    with pytest.raises(OSError, match="refused"):
        urlopen(f"http://127.0.0.1:{port}/")
