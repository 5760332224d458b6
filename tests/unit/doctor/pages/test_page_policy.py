"""Judgments on the policies of a page."""

from __future__ import annotations

import pytest

from idlewatch.doctor.findings import Outcome, Trial
from idlewatch.doctor.pages.html import parse_page
from idlewatch.doctor.pages.page_policy import judge_policies
from tests.support.answers import SCRIPT, STYLESHEET, answer, client, page

ENFORCED, REPORTED = "Content-Security-Policy", "Content-Security-Policy-Report-Only"
NONCE = 'nonce="abc"'
WITH_NONCE = client(script=SCRIPT.replace("async", NONCE), stylesheet=STYLESHEET.replace("<link", f"<link {NONCE}"))


def judge(*headers: tuple[str, str], part: str | None = None, head: str = "") -> dict[Trial, Outcome]:
    text = page(client() if part is None else part, head=head)
    found = judge_policies(answer(200, text, *headers), parse_page(text))
    return {finding.trial: finding.outcome for finding in found}


def refused(*headers: tuple[str, str], **more: str) -> set[Trial]:
    return {trial for trial, outcome in judge(*headers, **more).items() if outcome is not Outcome.OK}


def test_a_page_without_a_policy_and_one_of_the_site_itself():
    every = {Trial.POLICY_SCRIPT, Trial.POLICY_STYLE, Trial.POLICY_SOCKET, Trial.POLICY_FORM}
    assert judge() == dict.fromkeys(every, Outcome.OK)
    assert refused((ENFORCED, "default-src 'self'; form-action 'self'")) == set()


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("default-src 'none'", {Trial.POLICY_SCRIPT, Trial.POLICY_STYLE, Trial.POLICY_SOCKET}),
        ("script-src 'strict-dynamic' 'nonce-abc'", {Trial.POLICY_SCRIPT}),
        ("style-src 'none'", {Trial.POLICY_STYLE}),
        ("connect-src https://api.example.com", {Trial.POLICY_SOCKET}),
        ("connect-src wss://example.com", {Trial.POLICY_SOCKET}),
        ("connect-src https://example.com", {Trial.POLICY_SOCKET}),
        ("form-action 'none'", {Trial.POLICY_FORM}),
    ],
)
def test_what_a_policy_refuses(policy: str, expected: set[Trial]):
    assert refused((ENFORCED, policy)) == expected


def test_all_policies_have_to_allow_it():
    strict = (ENFORCED, "script-src 'none'")
    assert refused((ENFORCED, "default-src 'self'"), strict) == {Trial.POLICY_SCRIPT}
    assert refused((ENFORCED, "default-src 'self', script-src 'none'")) == {Trial.POLICY_SCRIPT}
    meta = f'<meta http-equiv="{ENFORCED}" content="script-src \'none\'">'
    assert refused((ENFORCED, "default-src 'self'"), head=meta) == {Trial.POLICY_SCRIPT}


def test_what_is_only_reported_is_a_warning_and_what_is_enforced_counts_more():
    reported = (REPORTED, "script-src 'none'")
    assert judge(reported)[Trial.POLICY_SCRIPT] is Outcome.WARNING
    assert judge(reported, (ENFORCED, "script-src 'none'"))[Trial.POLICY_SCRIPT] is Outcome.FAULT
    assert judge(reported, (ENFORCED, "script-src 'self'"))[Trial.POLICY_SCRIPT] is Outcome.WARNING


def test_the_nonce_of_the_tags():
    policy = (ENFORCED, "script-src 'nonce-abc' 'strict-dynamic'; style-src 'nonce-abc'")
    assert refused(policy, part=WITH_NONCE) == set()
    other = (ENFORCED, "script-src 'nonce-new' 'strict-dynamic'; style-src 'nonce-new'")
    assert refused(other, part=WITH_NONCE) == {Trial.POLICY_SCRIPT, Trial.POLICY_STYLE}


def test_a_nonce_of_another_page_is_named_and_none_is_shown():
    text = page(WITH_NONCE)
    came = answer(200, text, (ENFORCED, "script-src 'nonce-c2VjcmV0'"))
    finding = next(each for each in judge_policies(came, parse_page(text)) if each.outcome is Outcome.FAULT)
    assert "another nonce" in finding.came
    assert "different requests" in finding.hint
    assert "c2VjcmV0" not in f"{finding.came}{finding.hint}"


def test_a_page_with_a_bundle_of_its_own_names_no_script():
    assert judge(part=client(script=""))[Trial.POLICY_SCRIPT] is Outcome.SKIPPED


def test_addresses_relate_to_the_base_of_the_page():
    head = '<base href="https://other.example.net/">'
    assert Trial.POLICY_SOCKET in refused((ENFORCED, "default-src 'self'"), head=head)


@pytest.mark.parametrize("url", ["http://[", "//example.com:port/ws/"])
def test_what_is_no_url_is_refused(url: str):
    assert Trial.POLICY_SOCKET in refused((ENFORCED, "default-src 'self'"), part=client(socket=url))
