"""What stands in the content's place: nothing of the content is to be had, and nothing of it is lost."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Error, Page, StorageState, expect

from tests.browser.conftest import OpenPage
from tests.browser.looks import ACTIVE, ENDED, OVER, Played, cover, names
from tests.support.browsing import until
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]


def hide(page: Page, played: Played) -> None:
    """Have the page's own clock run out."""
    played.say(OVER)
    expect(cover(page)).to_be_visible()


def lift(page: Page, played: Played) -> None:
    played.say(ACTIVE)
    expect(cover(page)).to_be_hidden()


class TestNothingIsToBeHad:
    @pytest.mark.rule("R18")
    def test_the_content_is_out_of_sight_search_print_and_assistive_technology(self, open_page: OpenPage):
        page, played = open_page()
        page.fill("textarea", "half a letter")
        hide(page, played)
        assert "Ada" not in page.content()
        assert "half a letter" not in page.content()
        assert page.evaluate("document.querySelector('textarea')") is None
        assert not page.evaluate("window.find('Ada')")
        assert "Ada" not in names(page)
        assert "patient" not in page.title()
        page.emulate_media(media="print")
        expect(cover(page)).to_be_visible()
        expect(page.locator("#secret")).to_have_count(0)

    @pytest.mark.rule("R18")
    @pytest.mark.parametrize("query", ["frame=1", "keep=1"])
    def test_what_has_to_stay_in_the_document_is_out_of_all_of_these(self, query: str, open_page: OpenPage):
        page, played = open_page(query)
        page.evaluate("(document.querySelector('#framed, kept-counter').prepend('Ada stays'))")
        page.evaluate("""() => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(":root body:not(#very#weighty) { display: block !important }");
          document.adoptedStyleSheets.push(sheet);
        }""")
        hide(page, played)
        assert not page.evaluate("window.find('Ada')")
        assert "Ada" not in names(page)
        expect(page.get_by_text("Ada stays")).to_be_hidden()

    def test_what_scripts_add_meanwhile_is_taken_too_and_comes_with_the_rest(self, open_page: OpenPage):
        page, played = open_page()
        hide(page, played)
        page.evaluate("document.body.append('and her birthday is', document.createElement('hr'))")
        until(page, "!document.body.textContent.includes('birthday')")
        lift(page, played)
        assert "birthday" in page.evaluate("document.body.textContent")

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

    def test_escape_does_not_lift_it(self, open_page: OpenPage):
        page, played = open_page()
        hide(page, played)
        for _ in range(4):
            page.keyboard.press("Escape")
            page.wait_for_timeout(50)
        expect(cover(page)).to_be_visible()

    def test_what_is_typed_reaches_nothing_below_it(self, open_page: OpenPage):
        page, played = open_page("frame=1")
        text = page.frame_locator("iframe").locator("textarea")
        text.press_sequentially("ab")
        hide(page, played)
        page.keyboard.type("cd")
        lift(page, played)
        assert text.input_value() == "ab"


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

    def test_open_dialogs_are_open_again_each_in_its_way(self, open_page: OpenPage):
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
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        assert page.evaluate("document.querySelectorAll('dialog:modal').length") == 0, "the topmost goes first"

    def test_a_frame_is_not_reloaded(self, open_page: OpenPage):
        page, played = open_page("frame=1")
        frame = page.frame_locator("iframe")
        frame.locator("textarea").press_sequentially("ab")
        page.evaluate("frames[0].scrollTo(0, 444)")
        hide(page, played)
        lift(page, played)
        expect(frame.locator("textarea")).to_have_value("ab")
        assert page.evaluate("frames[0].scrollY") == 444
        page.keyboard.type("c")
        expect(frame.locator("textarea")).to_have_value("abc")

    def test_a_frame_in_a_modal_dialog_leaves_the_cover_usable_and_the_dialog_modal(self, open_page: OpenPage):
        page, played = open_page("frame=modal")
        page.evaluate("document.getElementById('modal-frame').showModal()")
        text = page.frame_locator("#modal-frame iframe").locator("textarea")
        text.press_sequentially("ab")
        hide(page, played)
        lift(page, played)
        assert page.evaluate("document.getElementById('modal-frame').matches(':modal')")
        expect(text).to_have_value("ab")
        played.say(ENDED)
        cover(page).get_by_role("link", name="Leave without saving").click()
        expect(page).to_have_url(re.compile("/accounts/login/"))

    def test_an_element_that_asks_for_it_never_leaves_the_document(self, open_page: OpenPage):
        page, played = open_page("keep=1")
        hide(page, played)
        lift(page, played)
        assert page.evaluate("document.querySelector('kept-counter').connections") == 1

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
          const late = document.createElement("div");
          late.id = "late";
          return document.body.insertBefore(late, window.main) === late;
        }""")
        with pytest.raises(Error, match="NotFoundError"):
            page.evaluate("document.body.removeChild(document.createElement('p'))")
        until(page, "!document.querySelector('#late')")
        lift(page, played)
        assert page.evaluate("document.querySelector('#portal, #toast')") is None
        assert page.evaluate("window.main.previousElementSibling.id") == "late"
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

    def test_the_page_s_dialogs_hear_nothing_of_it(self, open_page: OpenPage):
        page, played = open_page()
        page.evaluate("document.getElementById('first').showModal()")
        hide(page, played)
        lift(page, played)
        assert page.evaluate("window.toggled") == 0


class TestWhatItSays:
    def test_the_reason_and_how_to_go_on(self, open_page: OpenPage):
        page, played = open_page()
        page.fill("textarea", "half a letter")
        played.say(ENDED)
        box = page.get_by_role("dialog", name="Signed out")
        expect(box).to_be_visible()
        expect(box).to_have_accessible_description(re.compile("because of inactivity.*still here"))
        expect(box.get_by_role("link", name="Sign in again")).to_be_focused()
        page.keyboard.press("Tab")
        expect(box.get_by_role("link", name="Leave without saving")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/accounts/login/\?next="))

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
        expect(cover(page).get_by_text("still here")).to_be_visible()
        expect(cover(page).get_by_role("link", name="Leave without saving")).to_be_visible()

    def test_being_cut_off(self, open_page: OpenPage):
        page, played = open_page()
        page.evaluate("window.stayed = true")
        hide(page, played)
        expect(cover(page).get_by_role("heading", name="One moment")).to_be_visible()
        played.go_away()
        expect(cover(page).get_by_role("heading", name="Offline")).to_be_visible(timeout=15_000)
        assert page.title() == "Offline"
        played.come_back(ACTIVE)
        expect(cover(page)).to_be_hidden(timeout=20_000)
        assert page.evaluate("window.stayed")
        assert page.title().endswith("letter")


class TestView:
    """What the client asks of the view when a user signs in again, with the view alone in the page."""

    @pytest.fixture
    def page(self, context: BrowserContext, signed_in: StorageState, site: Server) -> Page:
        context.add_cookies(signed_in["cookies"])
        page = context.new_page()
        page.goto(site.url("/looks/view/"))
        until(page, "window.view")
        return page

    @pytest.mark.rule("R32")
    def test_what_has_ended_comes_back_with_new_tokens_in_its_forms(self, page: Page):
        page.fill("textarea", "half a letter")
        page.evaluate("view.end(ended)")
        assert page.evaluate("view.kept")
        page.evaluate("view.replaceTokens('fresh'), view.restore()")
        expect(cover(page)).to_be_hidden()
        assert page.input_value("textarea") == "half a letter"
        assert page.input_value("[name=csrfmiddlewaretoken]") == "fresh"
        assert page.get_attribute("body", "hx-headers") == '{"X-CSRFToken": "fresh"}'
        assert page.get_attribute("#sender", "data-hx-headers") == '{"A": "b", "x-csrftoken" : "fresh", "C": "d"}'
        assert page.evaluate("document.querySelector('#shadow').shadowRoot.querySelector('input').value") == "fresh"

    def test_a_page_that_comes_back_stays(self, page: Page):
        page.evaluate("view.end(ended), view.leave(), view.restore()")
        page.wait_for_timeout(2500)
        assert page.evaluate("Boolean(window.view)")
        expect(page.locator("#secret")).to_be_visible()

    def test_a_hidden_one_waits_and_then_comes_back(self, page: Page):
        page.evaluate("""() => {
          window.seen = "hidden";
          Object.defineProperty(document, "visibilityState", { get: () => window.seen });
          view.end(ended);
          view.leave();
        }""")
        page.wait_for_timeout(2500)
        page.evaluate("""() => {
          view.restore();
          window.seen = "visible";
          document.dispatchEvent(new Event("visibilitychange"));
        }""")
        page.wait_for_timeout(2500)
        assert page.evaluate("Boolean(window.view)")

    @pytest.mark.rule("R18")
    def test_for_another_user_nothing_is_left(self, page: Page, site: Server):
        page.fill("textarea", "half a letter")
        page.route(site.url("/"), lambda route: None)
        left = page.evaluate("""() => {
          const content = document.querySelector("textarea");
          view.drop();
          view.restore();
          return [content.isConnected, document.body?.childNodes.length ?? 0, document.title.includes("view")];
        }""")
        assert left == [False, 0, False]

    def test_another_user_gets_to_the_start_page(self, page: Page, site: Server):
        page.evaluate("view.drop()")
        expect(page).to_have_url(site.url("/"))
