"""The pages of docs/examples do what they say, built as they say."""

from __future__ import annotations

import re
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Response, expect

from tests.browser.conftest import GRACE, IDLE, WARN
from tests.browser.visits import connected
from tests.support import node
from tests.support.browsing import sign_in, until
from tests.support.serving import ROOT, Server, demo

pytestmark = [pytest.mark.server, pytest.mark.browser]

EXAMPLES = ROOT / "docs" / "examples"
PACKAGES = ("react", "react-dom", "@types")
SOON = IDLE * 1000 + 10_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    built = tmp_path_factory.mktemp("built")
    for name in ("plain", "htmx"):
        (built / name).mkdir()
        shutil.copy(EXAMPLES / name / "page.js", built / name)
    shutil.copy(node.packages() / "htmx.org" / "dist" / "htmx.min.js", built)
    (built / "react").mkdir()
    shutil.copy(bundle(tmp_path_factory.mktemp("react")), built / "react")
    limits = {"IDLE_TIMEOUT": IDLE, "WARN_BEFORE": WARN, "CLOSE_GRACE": GRACE, "HEARTBEAT": 0.5}
    environ = {f"IDLEWATCH_{key}": str(value) for key, value in limits.items()}
    settings = {"DJANGO_SETTINGS_MODULE": "tests.browser.examples.settings", "BUILT": str(built)}
    with demo(tmp_path_factory.mktemp("examples"), **settings, **environ) as server:
        yield server


def bundle(directory: Path) -> Path:
    """Build the React page by the command of its README; the packages are there already."""
    example = shutil.copytree(EXAMPLES / "react", directory / "react")
    (example / "node_modules").mkdir()
    for name in PACKAGES:
        (example / "node_modules" / name).symlink_to(node.packages() / name)
    (example / "node_modules" / "idlewatch").symlink_to(ROOT / "static" / "idlewatch")
    [command] = re.findall(r"^npx esbuild (.+)$", (example / "README.md").read_text(), re.MULTILINE)
    done = node.run("esbuild", *shlex.split(command), cwd=example)
    assert done.returncode == 0, done.stderr
    return example / "bundle.js"


@pytest.fixture
def tab(context: BrowserContext, server: Server, console: list[str]) -> Page:
    """A tab that is signed in, at a page without the client."""
    page = context.new_page()
    sign_in(page, server.url("/accounts/login/?next=/demo/elsewhere/"))
    return page


def see(page: Page, url: str) -> None:
    response = page.goto(url)
    assert response is not None
    assert "default-src 'self'" in (response.header_value("Content-Security-Policy") or "")
    connected(page)


class TestPlain:
    @pytest.mark.rule("R33")
    def test_an_upload_outlasts_the_limit_and_the_status_line_follows_the_session(
        self, tab: Page, server: Server, tmp_path: Path
    ):
        file = tmp_path / "film"
        file.write_bytes(bytes(200_000))
        see(tab, server.url("/plain/"))
        line = tab.locator("#session")
        tab.set_input_files("input[type=file]", file)
        network = tab.context.new_cdp_session(tab)
        slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000 / (IDLE + 2)}
        network.send("Network.enable")
        network.send("Network.emulateNetworkConditions", slow)
        started = time.monotonic()
        tab.get_by_role("button", name="Upload").click()
        expect(line).to_contain_text("stay signed in")
        expect(tab.locator("#result")).to_have_text("Uploaded.", timeout=(IDLE + 10) * 1000)
        assert time.monotonic() - started > IDLE
        expect(line).to_contain_text("without activity")
        expect(line).to_have_text("You will be signed out soon.", timeout=SOON)


class TestHtmx:
    @pytest.mark.rule("R32")
    def test_a_note_is_added_the_list_polled_and_at_the_end_what_was_typed_is_covered(self, tab: Page, server: Server):
        see(tab, server.url("/htmx/"))
        note = tab.locator("input[name=text]")
        note.fill("Milk")
        tab.get_by_role("button", name="Add").click()
        expect(tab.locator("#notes li")).to_have_text("Milk")
        with tab.expect_response("**/htmx/list/") as polled:
            pass
        assert polled.value.request.method == "GET"
        note.press_sequentially("half a note")
        expect(tab.get_by_role("link", name="Leave without saving")).to_be_visible(timeout=SOON)
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.wait_for_timeout(3000)
        assert [url for url in asked if "/htmx/list/" in url] == []
        assert tab.url == server.url("/htmx/")

    @pytest.mark.rule("R32")
    def test_a_poll_that_meets_the_end_first_does_not_take_the_page_away(self, tab: Page, server: Server):
        # No frame reaches the client: it goes by its own clock.
        tab.route_web_socket(re.compile("/ws/"), lambda socket: None)
        tab.route(server.url("/idlewatch/**"), lambda route: route.abort())
        see(tab, server.url("/htmx/"))
        refused: list[Response] = []
        tab.on("response", lambda response: refused.append(response) if response.status == 401 else None)
        deadline = time.monotonic() + IDLE + 15
        while not refused:
            assert time.monotonic() < deadline
            tab.locator("input[name=text]").press_sequentially("a", delay=100)
        assert refused[0].header_value("HX-Redirect") is not None
        tab.wait_for_load_state("networkidle")
        assert tab.url == server.url("/htmx/")


class TestReact:
    @pytest.mark.rule("R1", "R30", "R32")
    def test_its_own_warning_replaces_ours_and_at_the_end_what_was_typed_is_covered(self, tab: Page, server: Server):
        see(tab, server.url("/react/"))
        status = tab.get_by_role("status").first
        expect(status).to_have_text("This session is active.")
        scripts = tab.evaluate("[...document.scripts].map((script) => script.src)")
        assert [url.rsplit("/static/", 1)[-1] for url in scripts] == ["react/bundle.js"], "the tag brings none"
        warning = tab.get_by_role("alertdialog")
        expect(warning).to_be_visible(timeout=SOON)
        expect(warning).to_have_accessible_name("Your session is about to end")
        expect(tab.get_by_text("Are you still there?")).to_be_hidden()
        expect(warning.get_by_role("timer")).to_have_text(re.compile(r"^[0-3] seconds left$"))
        tab.get_by_role("button", name="Go on working").click()
        expect(warning).to_have_count(0)
        expect(status).to_have_text("This session is active.")
        expect(warning).to_be_visible(timeout=SOON)
        tab.keyboard.press("Escape")
        expect(warning).to_have_count(0)
        until(tab, "window.idlewatch.state.phase === 'active'")
        tab.get_by_label("Letter").press_sequentially("Dear")
        expect(tab.get_by_role("link", name="Leave without saving")).to_be_visible(timeout=SOON)
        until(tab, "document.getElementById('app') === null || !document.getElementById('app').checkVisibility()")
