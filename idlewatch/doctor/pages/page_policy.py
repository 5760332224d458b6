"""Judgments on the policies of a page: whether the client may run, look as it should, and reach the site."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from idlewatch.doctor.clients.http_client import Answer
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped, warning
from idlewatch.doctor.pages.content_policy import ContentPolicy, Need, Refusal, Resource, Why, parse_policies
from idlewatch.doctor.pages.html import Page, Tag
from idlewatch.doctor.pages.loaded_page import config_of, url_in

ENFORCED, REPORTED = "Content-Security-Policy", "Content-Security-Policy-Report-Only"
TRIED: Mapping[Trial, str] = {
    Trial.POLICY_SCRIPT: "Policy for the client's script",
    Trial.POLICY_STYLE: "Policy for the client's stylesheet",
    Trial.POLICY_SOCKET: "Policy for the socket and for requests of the client",
    Trial.POLICY_FORM: "Policy for the form that signs out",
}
EXPECTED = "every policy of the page allows it"
WITHOUT: Mapping[Trial, str] = {
    Trial.POLICY_SCRIPT: "The page then neither warns nor hides its content at the end",
    Trial.POLICY_STYLE: "Warning and end then have no layout, and do not cover the page",
    Trial.POLICY_SOCKET: "The client then treats the page as offline, and receives no end",
    Trial.POLICY_FORM: "'Sign out now' then does nothing",
}
REMEDIES: Mapping[Why, str] = {
    Why.SANDBOX: "add allow-scripts and allow-same-origin to it.",
    Why.OTHER_NONCE: (
        "page and header come from different requests, as where a cache keeps one of them, or a proxy writes the "
        "policy: have Django write it, and keep the page out of caches."
    ),
    Why.NO_NONCE: (
        "let django-csp or Django's own middleware make the nonce, so that the tag has it, or add a nonce to a "
        "template that replaces idlewatch/client.html."
    ),
    Why.NOT_NAMED: "add 'self', or the address of the static files, to it; see docs/pages.md.",
}


class Needed(NamedTuple):
    """What the client of a page needs, by the trial under which it is reported."""

    trial: Trial
    resource: Resource

    def __repr__(self) -> str:
        return f"<Needed {self.trial}>"


def policies_of(answer: Answer, page: Page) -> Sequence[ContentPolicy]:
    """Return all policies of a page: those of its headers, and those in itself."""
    found = list[ContentPolicy]()
    for name in (ENFORCED, REPORTED):
        for value in answer.headers.get_all(name, []):
            found.extend(parse_policies(value, is_enforced=name == ENFORCED))
    for value in page.policies:
        found.extend(parse_policies(value, is_meta=True))
    return found


def needs_of(answer: Answer, page: Page) -> Iterator[Needed]:
    """Yield what the client of a page needs, as far as the page names it."""
    config = config_of(page)
    for tag in page.scripts[:1]:
        yield Needed(Trial.POLICY_SCRIPT, _resource(Need.SCRIPT, answer, page, tag.attributes.get("src", ""), tag))
    for tag in page.clients[0].stylesheets[:1]:
        yield Needed(Trial.POLICY_STYLE, _resource(Need.STYLE, answer, page, tag.attributes.get("href", ""), tag))
    if "socket" in config:
        # As the browser's constructor of sockets does.
        url = url_in(page, answer.url, str(config["socket"])).replace("http", "ws", 1)
        yield Needed(Trial.POLICY_SOCKET, Resource(Need.CONNECTION, url))
    if "state" in config:
        url = url_in(page, answer.url, str(config["state"]))
        yield Needed(Trial.POLICY_SOCKET, Resource(Need.CONNECTION, url))
    if "logout" in config:
        yield Needed(Trial.POLICY_FORM, _resource(Need.FORM, answer, page, str(config["logout"])))


def _resource(need: Need, answer: Answer, page: Page, url: str, tag: Tag | None = None) -> Resource:
    nonce = "" if tag is None else tag.attributes.get("nonce", "")
    return Resource(need, url_in(page, answer.url, url), nonce)


def judge_policies(answer: Answer, page: Page) -> Iterator[Finding]:
    """Judge what the policies of a page say of what its client needs."""
    policies, needs = policies_of(answer, page), list(needs_of(answer, page))
    for trial, tried in TRIED.items():
        resources = [needed.resource for needed in needs if needed.trial is trial]
        if resources:
            yield _judge(trial, policies, resources, answer.url)
        else:
            yield skipped(trial, tried, "the page names none", EXPECTED)


def _judge(trial: Trial, policies: Sequence[ContentPolicy], resources: Sequence[Resource], url: str) -> Finding:
    tried, expected = TRIED[trial], EXPECTED
    if not policies:
        return ok(trial, tried, "no policy", expected)
    reported: Refusal | None = None
    for policy in policies:
        for resource in resources:
            refusal = policy.refusal_of(resource, url)
            if refusal is not None and policy.is_enforced:
                return fault(trial, tried, _came(refusal), expected, _hint(trial, refusal))
            reported = reported or refusal
    if reported is not None:
        return warning(
            trial, tried, f"{_came(reported)}, as long as it is only reported", expected, _hint(trial, reported)
        )
    return ok(trial, tried, "allowed", expected)


def _came(refusal: Refusal) -> str:
    return f"refused by {refusal.directive[:200]!r}: {refusal.why}"


def _hint(trial: Trial, refusal: Refusal) -> str:
    return f"{WITHOUT[trial]}: {REMEDIES[refusal.why]}"
