"""What is typed into a form comes back after the next sign-in."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.visits import Limits, end_reason, visit, wait_for
from tests.support.browsing import sign_in
from tests.support.serving import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]

IDLE = 6.0
LIMITS: Limits = {"IDLE_TIMEOUT": IDLE, "WARN_BEFORE": 2.5, "CLOSE_GRACE": 60, "HEARTBEAT": 0.5}
LETTER = "/drafts/letter/?to=7"
PLAIN = "/drafts/plain/"
CARD = "4111 1111 1111 1111"
RESTORED = "What you had typed here was restored."
NOT_SENT = "Your form was not sent, because you had been signed out."


@pytest.fixture
def page(context: BrowserContext, site: Server) -> Page:
    """A tab that is signed in, at the letter, of which no draft is kept."""
    site.manage("shell", "-c", "from idlewatch.drafts.models import Draft; Draft.objects.all().delete()")
    page, _ = visit(context, site.url(LETTER), LIMITS)
    return page


def saving(page: Page):
    """Wait until the page has saved, or deleted, a draft."""
    return page.expect_response(
        lambda response: "/idlewatch/drafts/" in response.url and response.request.method == "POST" and response.ok
    )


def status(page: Page, text: str) -> Locator:
    return page.get_by_role("status").filter(has_text=text)


@pytest.mark.rule("R32", "R33")
def test_what_was_typed_is_there_again_after_the_end_and_a_new_sign_in(
    page: Page, context: BrowserContext, site: Server
):
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or ""))
    page.fill("[name=subject]", "Half a letter")
    page.fill("[name=body]", "Dear Sir,\nit is “late” 🙂")
    page.select_option("[name=kind]", "card")
    page.select_option("[name=copies]", ["a", "c"])
    page.uncheck("[name=urgent]")
    page.check("[name=sign]")
    page.check("[value=blue]")
    page.fill("[name=day]", "2026-02-03")
    page.locator("[name=line]").nth(1).fill("second")
    page.fill("[name=confirmation]", "hunter2")
    page.fill("[name=payment]", CARD)
    page.fill("[name=account]", CARD.replace(" ", "-"))
    with saving(page):
        page.fill("[name=diagnosis]", "a secret")
    page.get_by_role("link", name="Leave without saving").click(timeout=(IDLE + 4) * 1000)
    bodies = "".join(sent)
    assert "Half a letter" in bodies
    assert [secret for secret in ("hunter2", "4111", "a secret") if secret in bodies] == []
    sign_in(page, page.url, "admin")
    page.wait_for_load_state("networkidle")
    expect(page.locator("[name=subject]")).to_have_value("")
    context.clear_cookies()
    sign_in(page, site.url(LETTER))
    expect(status(page, RESTORED)).to_be_visible()
    expect(page.locator("[name=subject]")).to_have_value("Half a letter")
    expect(page.locator("[name=body]")).to_have_value("Dear Sir,\nit is “late” 🙂")
    expect(page.locator("[name=kind]")).to_have_value("card")
    expect(page.locator("[name=copies]")).to_have_values(["a", "c"])
    expect(page.locator("[name=urgent]")).not_to_be_checked()
    expect(page.locator("[name=sign]")).to_be_checked()
    expect(page.locator("[value=blue]")).to_be_checked()
    expect(page.locator("[name=day]")).to_have_value("2026-02-03")
    assert [field.input_value() for field in page.locator("[name=line]").all()] == ["", "second"]
    for name in ("confirmation", "payment", "account", "diagnosis"):
        expect(page.locator(f"[name={name}]")).to_have_value("")


def test_the_drafts_of_a_page_are_kept_until_they_are_discarded_or_sent(page: Page, site: Server):
    subject = page.locator("[name=subject]")
    with saving(page):
        subject.fill("Half a letter")
    # What was typed in the last moment is saved too.
    page.fill("[name=answer]", "Half an answer")
    page.goto(site.url("/drafts/letter/?to=8"), wait_until="networkidle")
    expect(subject).to_have_value("")
    page.goto(site.url(LETTER))
    expect(subject).to_have_value("Half a letter")
    expect(page.locator("[name=answer]")).to_have_value("Half an answer")
    expect(status(page, RESTORED)).to_have_count(1)
    with saving(page):
        status(page, RESTORED).get_by_role("button", name="Discard").click()
    expect(subject).to_have_value("")
    expect(page.locator("[name=body]")).to_have_value("Dear Sir,")
    expect(status(page, RESTORED)).to_have_count(0)
    with saving(page):
        subject.fill("A whole letter")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("A whole letter")).to_be_visible()
    page.goto(site.url(LETTER), wait_until="networkidle")
    expect(subject).to_have_value("")
    expect(page.locator("[name=answer]")).to_have_value("")


@pytest.mark.rule("R32")
def test_a_form_that_was_sent_after_the_end_is_offered_after_signing_in_and_can_be_sent(page: Page, site: Server):
    # Nothing covers the page at the end.
    page.route("**/static/idlewatch/*.js", lambda route: route.abort())
    page.goto(site.url(PLAIN))
    subject = page.locator("#plain [name=subject]")
    subject.fill("A whole letter")
    page.fill("[name=body]", "Dear Sir,\nhere it is.")
    page.uncheck("[name=urgent]")
    page.fill("[name=confirmation]", "hunter2")
    wait_for(page, lambda: end_reason(site) == "idle", IDLE + 10)
    page.get_by_role("button", name="Send").click()
    expect(page).to_have_url(re.compile("/accounts/login/"))
    expect(page.get_by_text("because of inactivity")).to_be_visible()
    page.unroute_all()
    sign_in(page, page.url)
    expect(page).to_have_url(site.url(PLAIN))
    note = status(page, NOT_SENT)
    expect(note).to_be_visible()
    expect(subject).to_have_value("")
    note.get_by_role("button", name="Restore").click()
    expect(subject).to_have_value("A whole letter")
    expect(subject).to_be_focused()
    expect(page.locator("[name=body]")).to_have_value("Dear Sir,\nhere it is.")
    expect(page.locator("[name=urgent]")).not_to_be_checked()
    expect(page.locator("[name=confirmation]")).to_have_value("")
    expect(page.locator("form[method=get] [name=subject]")).to_have_value("")
    expect(note).to_have_count(0)
    page.reload()
    note.get_by_role("button", name="Restore").click()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("A whole letter")).to_be_visible()
    page.goto(site.url(PLAIN), wait_until="networkidle")
    expect(note).to_have_count(0)
