"""The overlay in place of the content: nothing of the content can be reached, and nothing of it is lost."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Error, Page, StorageState, expect

from tests.browser.conftest import OpenPage
from tests.browser.played_tab import ACTIVE, ENDED, OVER, Played, names, overlay
from tests.support.browsing import until
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]


def hide(page: Page, played: Played) -> None:
    """Have the page's own clock run out."""
    played.say(OVER)
    expect(overlay(page)).to_be_visible()


def lift(page: Page, played: Played) -> None:
    played.say(ACTIVE)
    expect(overlay(page)).to_be_hidden()


class TestNothingCanBeReached:
    @pytest.mark.rule("R18")
    def test_the_content_is_out_of_sight_search_print_and_assistive_technology(self, open_page: OpenPage):
        page, played = open_page()
        page.fill("textarea", "half a letter")
        hide(page, played)
        expect(overlay(page).get_by_role("heading", name="One moment")).to_be_visible()
        assert "Ada" not in page.content()
        assert "half a letter" not in page.content()
        assert page.evaluate("document.querySelector('textarea')") is None
        assert not page.evaluate("window.find('Ada')")
        assert "Ada" not in names(page)
        assert "patient" not in page.title()
        page.emulate_media(media="print")
        expect(overlay(page)).to_be_visible()
        expect(page.locator("#secret")).to_have_count(0)

    @pytest.mark.rule("R18")
    def test_what_has_to_stay_in_the_document_is_out_of_all_of_these(self, open_page: OpenPage):
        page, played = open_page("frame=1&keep=1")
        page.evaluate("""() => {
          for (const element of document.querySelectorAll("#framed, kept-counter")) element.prepend("Ada stays");
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(":root body:not(#very#weighty) { display: block !important }");
          document.adoptedStyleSheets.push(sheet);
        }""")
        hide(page, played)
        assert not page.evaluate("window.find('Ada')")
        assert "Ada" not in names(page)
        for kept in page.get_by_text("Ada stays").all():
            expect(kept).to_be_hidden()
        lift(page, played)
        assert page.evaluate("document.querySelector('kept-counter').connections") == 1, "it never left"

    @pytest.mark.rule("R18")
    @pytest.mark.parametrize(
        "change",
        [
            "document.title = 'Ada, again'",
            "document.querySelector('title').firstChild.data = 'Ada, again'",
            "document.head.append(document.querySelector('title').cloneNode()), document.title = 'Ada, again'",
        ],
    )
    def test_a_title_that_scripts_set_meanwhile_shows_when_it_lifts(self, change: str, open_page: OpenPage):
        page, played = open_page()
        hide(page, played)
        page.evaluate("document.title = 'Ada, once more'")
        ours = page.title()
        # What a script has done is answered before any other task runs.
        assert page.evaluate(f"Promise.resolve({change}).then(() => document.title)") == ours
        assert "Ada" not in ours
        lift(page, played)
        assert page.title() == "Ada, again"

    def test_a_script_that_insists_on_its_title_does_not_bring_the_tab_to_a_halt(self, open_page: OpenPage):
        page, played = open_page()
        page.evaluate("""() => {
          const insist = () => { if (document.title !== "Mine") document.title = "Mine"; };
          insist();
          new MutationObserver(insist).observe(document.head, { subtree: true, childList: true });
        }""")
        hide(page, played)
        lift(page, played)
        assert page.title() == "Mine"

    def test_escape_does_not_lift_it_though_a_second_one_closes_any_dialog(self, open_page: OpenPage):
        page, played = open_page()
        hide(page, played)
        overlay(page).evaluate(
            "element => element.addEventListener('close', () => { window.reopened = element.open; })"
        )
        for _ in range(4):
            page.keyboard.press("Escape")
        until(page, "window.reopened !== undefined")
        assert page.evaluate("window.reopened")
        expect(overlay(page)).to_be_visible()


class TestNothingIsLost:
    @pytest.mark.rule("R32")
    def test_fields_focus_selection_and_scrolling_are_as_they_were(self, open_page: OpenPage):
        page, played = open_page()
        page.fill("[name=subject]", "half a subject")
        page.fill("textarea", "half a letter")
        page.check("[name=urgent]")
        page.evaluate("""() => {
          document.querySelector("[name=subject]").focus();
          document.querySelector("[name=subject]").setSelectionRange(5, 6);
          document.querySelector("details").open = true;
          document.querySelector("#box").scrollTop = 120;
          scrollTo({ top: 77, behavior: "instant" });
        }""")
        hide(page, played)
        lift(page, played)
        assert page.evaluate("[scrollY, document.querySelector('#box').scrollTop]") == [77, 120]
        assert page.evaluate("document.querySelector('details').open")
        assert page.is_checked("[name=urgent]")
        assert page.title().endswith("letter")
        page.keyboard.type("the")
        assert page.input_value("[name=subject]") == "half the subject"
        assert page.input_value("textarea") == "half a letter"

    def test_the_caret_of_a_rich_text_is_where_it_was(self, open_page: OpenPage):
        page, played = open_page()
        page.evaluate("""() => {
          const editor = document.getElementById("editor");
          editor.focus();
          getSelection().setBaseAndExtent(editor.firstChild, 4, editor.firstChild, 7);
        }""")
        hide(page, played)
        lift(page, played)
        page.keyboard.type("2")
        expect(page.locator("#editor")).to_have_text("one 2 three")

    def test_open_dialogs_are_open_again_each_in_its_way_and_hear_nothing_of_it(self, open_page: OpenPage):
        page, played = open_page()
        page.evaluate("""() => {
          document.getElementById("loose").show();
          document.getElementById("tip").showPopover();
          document.getElementById("first").showModal();
          document.getElementById("second").showModal();
        }""")
        page.fill("#deeper", "half a word")
        hide(page, played)
        lift(page, played)
        expect(page.locator("#deeper")).to_be_focused()
        assert page.input_value("#deeper") == "half a word"
        state = "id => [document.getElementById(id).open, document.getElementById(id).matches(':modal')]"
        assert [page.evaluate(state, name) for name in ("loose", "first", "second")] == [
            [True, False],
            [True, True],
            [True, True],
        ]
        assert page.evaluate("document.getElementById('tip').matches(':popover-open')")
        assert page.evaluate("window.toggled") == 0
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        assert page.evaluate("document.querySelectorAll('dialog:modal').length") == 0, "the topmost goes first"

    def test_a_frame_is_not_reloaded_and_what_is_typed_meanwhile_does_not_reach_it(self, open_page: OpenPage):
        page, played = open_page("frame=1")
        text = page.frame_locator("iframe").locator("textarea")
        text.press_sequentially("ab")
        page.evaluate("frames[0].scrollTo(0, 444)")
        hide(page, played)
        page.keyboard.type("cd")
        lift(page, played)
        expect(text).to_have_value("ab")
        assert page.evaluate("frames[0].scrollY") == 444
        page.keyboard.type("e")
        expect(text).to_have_value("abe")

    def test_a_frame_in_a_modal_dialog_leaves_the_overlay_usable_and_the_dialog_modal(self, open_page: OpenPage):
        page, played = open_page("frame=modal")
        page.evaluate("document.getElementById('modal-frame').showModal()")
        text = page.frame_locator("#modal-frame iframe").locator("textarea")
        text.press_sequentially("ab")
        hide(page, played)
        lift(page, played)
        assert page.evaluate("document.getElementById('modal-frame').matches(':modal')")
        expect(text).to_have_value("ab")
        played.say(ENDED)
        overlay(page).get_by_role("link", name="Leave without saving").click()
        expect(page).to_have_url(re.compile("/accounts/login/"))

    def test_media_stand_where_they_stood(self, open_page: OpenPage):
        page, played = open_page()
        page.evaluate("""() => {
          window.tone = document.getElementById("tone");
          window.tone.muted = true;
          return window.tone.play();
        }""")
        until(page, "window.tone.currentTime > 0.3")
        hide(page, played)
        assert page.evaluate("window.tone.paused")
        stood = page.evaluate("window.tone.currentTime")
        assert stood > 0.3
        lift(page, played)
        assert page.evaluate("document.getElementById('tone').currentTime") == stood

    def test_scripts_may_remove_what_has_left_and_insert_before_it(self, open_page: OpenPage):
        page, played = open_page()
        page.evaluate("""() => {
          for (const name of ["portal", "toast"]) {
            window[name] = document.createElement("div");
            window[name].id = name;
            document.body.append(window[name]);
          }
          window.main = document.querySelector("main");
        }""")
        hide(page, played)
        assert page.evaluate("document.body.removeChild(window.portal) === window.portal")
        assert page.evaluate("window.portal.parentNode") is None
        page.evaluate("window.toast.remove()")
        assert page.evaluate("""() => {
          const late = document.createTextNode("Her birthday");
          return document.body.insertBefore(late, window.main) === late;
        }""")
        with pytest.raises(Error, match="NotFoundError"):
            page.evaluate("document.body.removeChild(document.createElement('p'))")
        until(page, "!document.body.textContent.includes('birthday')")
        lift(page, played)
        assert page.evaluate("document.querySelector('#portal, #toast')") is None
        assert page.evaluate("window.main.previousSibling.data") == "Her birthday"
        assert not page.evaluate("['removeChild', 'insertBefore'].some((name) => Object.hasOwn(document.body, name))")

    @pytest.mark.rule("R32")
    @pytest.mark.parametrize(
        "change",
        [
            "document.body.innerHTML = '<p id=new>New</p>'",
            "document.body.replaceChildren(Object.assign(document.createElement('p'), { id: 'new' }))",
            "document.body.replaceWith(document.createElement('body')), document.body.innerHTML = '<p id=new>New</p>'",
        ],
    )
    def test_what_a_script_replaces_unseen_is_in_the_page_still(self, change: str, open_page: OpenPage):
        page, played = open_page()
        page.fill("textarea", "half a letter")
        hide(page, played)
        page.evaluate(f"() => {{ {change} }}")
        expect(page.locator("#new")).to_be_hidden()
        lift(page, played)
        assert page.input_value("textarea") == "half a letter"
        order = page.evaluate(
            "[...document.body.querySelectorAll('#new, main, #tall')].map((element) => element.localName)"
        )
        assert order == ["p", "main", "div"]

    @pytest.mark.rule("R32")
    def test_what_a_script_did_not_let_a_form_send_is_unsaved(self, open_page: OpenPage):
        page, played = open_page()
        page.fill("textarea", "half a letter")
        page.evaluate("""() => {
          const form = document.querySelector("form");
          form.addEventListener("submit", (event) => event.preventDefault());
          form.requestSubmit();
        }""")
        played.say(ENDED)
        expect(overlay(page).get_by_role("link", name="Leave without saving")).to_be_visible()

    def test_what_a_script_fills_in_for_the_user_is_unsaved(self, open_page: OpenPage):
        page, played = open_page()
        page.evaluate("""() => {
          const add = (name) => document.body.appendChild(document.createElement(name));
          const [today, other] = ["button", "input"].map(add);
          today.textContent = "Today";
          today.addEventListener("mousedown", () => { other.value = "2026-11-29"; });
        }""")
        page.get_by_role("button", name="Today").click()
        played.say(ENDED)
        expect(overlay(page).get_by_role("link", name="Leave without saving")).to_be_visible()


class TestView:
    """The calls of the client when a user signs in again, to a view that is alone in its page."""

    @pytest.fixture
    def page(self, context: BrowserContext, signed_in: StorageState, site: Server) -> Page:
        context.add_cookies(signed_in["cookies"])
        page = context.new_page()
        page.clock.install()
        page.goto(site.url("/played/view/"))
        until(page, "window.view")
        return page

    @pytest.mark.rule("R32")
    def test_what_has_ended_comes_back_with_new_tokens_in_its_forms(self, page: Page):
        page.fill("textarea", "half a letter")
        page.evaluate("view.end(ended)")
        expect(overlay(page).get_by_role("link", name="Leave without saving")).to_be_visible()
        page.evaluate("view.replaceTokens('fresh'), view.restore()")
        expect(overlay(page)).to_be_hidden()
        assert page.input_value("textarea") == "half a letter"
        assert page.input_value("[name=csrfmiddlewaretoken]") == "fresh"
        assert page.get_attribute("body", "hx-headers") == '{"X-CSRFToken": "fresh"}'
        assert page.get_attribute("#sender", "data-hx-headers") == '{"A": "b", "x-csrftoken" : "fresh", "C": "d"}'
        assert page.evaluate("document.querySelector('#shadow').shadowRoot.querySelector('input').value") == "fresh"

    def test_a_page_that_comes_back_stays_also_if_it_was_hidden(self, page: Page):
        page.evaluate("view.end(ended), view.leave(), view.restore()")
        page.clock.run_for(3000)
        expect(page.locator("#secret")).to_be_visible()
        page.evaluate("""() => {
          window.seen = "hidden";
          Object.defineProperty(document, "visibilityState", { get: () => window.seen });
          view.end(ended);
          view.leave();
        }""")
        page.clock.run_for(3000)
        page.evaluate("""() => {
          view.restore();
          window.seen = "visible";
          document.dispatchEvent(new Event("visibilitychange"));
        }""")
        page.clock.run_for(3000)
        assert page.evaluate("Boolean(window.view)")
        expect(page.locator("#secret")).to_be_visible()

    @pytest.mark.rule("R18")
    def test_for_another_user_nothing_is_left_and_the_start_page_comes(self, page: Page, site: Server):
        page.fill("textarea", "half a letter")
        left = page.evaluate("""() => {
          const content = document.querySelector("textarea");
          view.drop();
          view.restore();
          return [content.isConnected, document.body?.childNodes.length ?? 0, document.title.includes("view")];
        }""")
        assert left == [False, 0, False]
        expect(page).to_have_url(site.url("/"))
