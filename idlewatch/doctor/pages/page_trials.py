"""What the page section tries, in a phrase each, and what a right site answers: for trials that can't be made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from idlewatch.doctor.findings import Finding, Section, Trial, skipped
from idlewatch.doctor.pages import (
    ended_answers,
    loaded_page,
    login_view,
    page_addresses,
    page_caches,
    page_policy,
    probe_session,
)

TEXTS: Mapping[Trial, tuple[str, str]] = {
    Trial.VISITOR_PAGE: (loaded_page.VISITOR, loaded_page.VISITOR_EXPECTED),
    Trial.PROBE: (probe_session.TRIED, probe_session.EXPECTED),
    Trial.PAGE: (loaded_page.USER, loaded_page.PAGE_EXPECTED),
    Trial.CLIENT: (loaded_page.CLIENT, loaded_page.CLIENT_EXPECTED),
    Trial.PAGE_CACHE: (page_caches.TWICE, page_caches.OF_ITS_OWN),
    Trial.CACHE_HEADERS: (page_caches.HEADERS, page_caches.HEADERS_EXPECTED),
    Trial.PAGE_ADDRESSES: (page_addresses.TRIED, page_addresses.ANSWERS_EXPECTED),
    **{trial: (tried, page_policy.EXPECTED) for trial, tried in page_policy.TRIED.items()},
    Trial.ADMIN_PAGE: ("Pages of the admin", "a page with the client"),
    Trial.LOGIN_VIEW: (login_view.SIGN_IN, login_view.FORM_OR_NEXT),
    Trial.REAUTHENTICATION: (login_view.PROVE, login_view.PROVE_EXPECTED),
    Trial.ENDED_NAVIGATION: (ended_answers.NAVIGATION_TRIED, ended_answers.REDIRECT),
    Trial.NOTICE: (ended_answers.NOTICE_TRIED, ended_answers.NOTICE_EXPECTED),
    Trial.ENDED_FETCH: (ended_answers.FETCH_TRIED, ended_answers.FETCH_EXPECTED),
    Trial.ENDED_POST: (ended_answers.POST_TRIED, ended_answers.REDIRECT),
    Trial.OLD_COOKIE: (ended_answers.STATE_TRIED, ended_answers.STATE_EXPECTED),
    Trial.DELETED_COOKIE: (ended_answers.DELETION_TRIED, "deleted"),
}


def skip_others(made: Collection[Trial], why: str) -> Iterator[Finding]:
    """Yield that all trials of the section but those that were made were not tried."""
    for trial in Trial:
        if trial.section is Section.PAGE and trial not in made:
            tried, expected = TEXTS[trial]
            yield skipped(trial, tried, why, expected)
