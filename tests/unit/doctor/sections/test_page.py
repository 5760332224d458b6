"""What the page section says of a site: of a right one, and of ones in which something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.test import override_settings
from django.urls import path

from idlewatch.doctor.clients.browsing import Browsing, Visit
from idlewatch.doctor.clients.connection import NoAnswer
from idlewatch.doctor.findings import Finding, Outcome, Section, Trial
from idlewatch.doctor.pages.ended import Closed
from idlewatch.doctor.sections import page as section
from idlewatch.doctor.site import Answered, Options, Site
from idlewatch.models import WatchedSession
from tests.support import http_site
from tests.support.answers import answer
from tests.support.django_side import site_at
from tests.support.examined import of, outcomes, report

OF_PAGE = {trial for trial in Trial if trial.section is Section.PAGE}
OURS = "idlewatch.middleware.IdleWatchMiddleware"


class Views:
    """The URLs of the site, with views of a test before them."""

    def __init__(self, *before: Any) -> None:
        self.urlpatterns = [*before, path("", http_site.page), *http_site.urlpatterns]


@contextmanager
def ended_socket(*_: Any, **__: Any) -> Iterator[Any]:
    """Open a socket of a session that has ended: Django's side of the tests has none."""
    frames = iter([{"phase": "ended"}])

    def receive(_: float) -> Any:
        for frame in frames:
            return frame
        raise Closed(4401, "")

    yield SimpleNamespace(receive=receive)


def examine(ann: User, monkeypatch: pytest.MonkeyPatch, *before: Any, **options: Any) -> list[Finding]:
    monkeypatch.setattr(Site, "socket_as", ended_socket)
    with override_settings(ROOT_URLCONF=Views(*before)):
        site = site_at("http://localhost/", Options(user=ann, **options))
        vars(site)["answered"] = [Answered(report(host="localhost"), "200 OK", {})]
        try:
            return list(section.examine(site))
        finally:
            site.close()


def faults(findings: list[Finding]) -> set[Trial]:
    return {trial for trial, outcome in outcomes(findings).items() if outcome is Outcome.FAULT}


def test_nothing_is_wrong_with_a_right_site(ann: User, monkeypatch: pytest.MonkeyPatch):
    found = examine(ann, monkeypatch)
    assert outcomes(found) == dict.fromkeys(OF_PAGE, Outcome.OK), [each for each in found if each.outcome != "ok"]


def test_the_probe_has_ended_for_the_reason_that_is_expected(ann: User, monkeypatch: pytest.MonkeyPatch):
    examine(ann, monkeypatch)
    assert list(WatchedSession.objects.values_list("reason", flat=True)) == ["logout"]


def test_no_finding_shows_a_secret(ann: User, monkeypatch: pytest.MonkeyPatch):
    begun = list[str]()
    probe = Site.probe

    @contextmanager
    def noting(self: Site) -> Iterator[Any]:
        with probe(self) as each:
            begun.append(next(iter(each.cookies.values())))
            yield each

    monkeypatch.setattr(Site, "probe", noting)
    found = examine(ann, monkeypatch)
    assert len(begun) == 1
    assert begun[0] not in "".join(f"{each.tried}{each.came}{each.expected}{each.hint}" for each in found)


def test_a_page_without_the_client(ann: User, monkeypatch: pytest.MonkeyPatch):
    found = examine(ann, monkeypatch, path("", http_site.answer("<body></body>")))
    assert faults(found) == {Trial.CLIENT}
    assert of(found, Trial.POLICY_SCRIPT).came == "not tried: see the trial client"


def test_a_page_that_asks_for_more(ann: User, monkeypatch: pytest.MonkeyPatch):
    def second_factor(request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect("/login/?next=/")

    found = examine(ann, monkeypatch, path("", second_factor))
    assert faults(found) == {Trial.PAGE}


def test_a_login_view_that_sends_users_in_a_circle(ann: User, monkeypatch: pytest.MonkeyPatch):
    def login(request: HttpRequest) -> HttpResponse:
        to = "/staff/" if request.user.is_authenticated else None
        return HttpResponse("<body><form></form></body>") if to is None else HttpResponseRedirect(to)

    staff = path("staff/", lambda _: HttpResponseRedirect("/login/?next=/staff/"))
    found = examine(ann, monkeypatch, path("login/", login), staff)
    assert faults(found) == {Trial.LOGIN_VIEW}


def test_a_cache_that_keeps_what_a_visitor_gets(ann: User, monkeypatch: pytest.MonkeyPatch):
    kept = dict[str, HttpResponse]()

    def caching(request: HttpRequest) -> HttpResponse:
        asked = request.get_full_path()
        return kept.setdefault(asked, http_site.page(request))

    found = examine(ann, monkeypatch, path("", caching))
    assert Trial.PAGE_CACHE in faults(found)
    assert faults(found) <= {Trial.PAGE_CACHE, Trial.VISITOR_PAGE}


def test_a_page_that_fails(ann: User, monkeypatch: pytest.MonkeyPatch):
    failing = http_site.answer("<body></body>", status=500)
    found = examine(ann, monkeypatch, path("", failing), path("login/", failing))
    assert faults(found) == {Trial.VISITOR_PAGE, Trial.PAGE}
    assert of(found, Trial.LOGIN_VIEW).outcome is Outcome.SKIPPED


def test_a_session_that_the_site_does_not_find(ann: User, monkeypatch: pytest.MonkeyPatch, settings: Any):
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.save", lambda *_, **__: None)
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore._get_new_session_key", lambda _: "k" * 32)
    found = examine(ann, monkeypatch)
    assert faults(found) == {Trial.PROBE}
    assert {each.outcome for each in found if each.trial not in {Trial.PROBE, Trial.VISITOR_PAGE}} == {Outcome.SKIPPED}


def test_without_an_account_a_visitors_page_is_all(monkeypatch: pytest.MonkeyPatch):
    found = examine(None, monkeypatch)  # type: ignore[arg-type]
    assert {trial for trial, outcome in outcomes(found).items() if outcome is Outcome.OK} == {Trial.VISITOR_PAGE}
    assert {each.trial for each in found} == OF_PAGE
    assert "--user" in of(found, Trial.CLIENT).came


def test_without_an_address_each_trial_says_why_it_is_skipped():
    site = Site(Options())
    found = list(section.examine(site))
    site.close()
    assert {each.trial for each in found} == OF_PAGE
    assert {each.outcome for each in found} == {Outcome.SKIPPED}
    assert all("--url" in each.came for each in found)


@pytest.mark.parametrize(
    ("challenged", "faulty"),
    [
        (Answered(None, "nothing listens", {}), {Trial.PAGE}),
        (Answered(None, "404 Not Found", {}, answer=answer(404)), {Trial.PAGE, Trial.ADMIN_PAGE, Trial.LOGIN_VIEW}),
    ],
)
def test_a_site_that_stops_meanwhile_is_one_fault_and_a_page_that_breaks_off_keeps_nothing_else_from_being_tried(
    challenged: Answered, faulty: set[Trial], ann: User, monkeypatch: pytest.MonkeyPatch
):
    def break_off(*_: Any, **__: Any) -> Any:
        raise NoAnswer("nothing listens at localhost")

    monkeypatch.setattr(Browsing, "request", break_off)
    monkeypatch.setattr(Browsing, "open", lambda *_: Visit([answer(200, "<p>Hello</p>")]))
    monkeypatch.setattr(section, "examine_page", break_off)
    monkeypatch.setattr(section, "judge_admin", break_off)
    monkeypatch.setattr(section, "judge_login_view", break_off)
    monkeypatch.setattr(Site, "challenge", lambda _: challenged)
    found = examine(ann, monkeypatch)
    assert faulty <= faults(found)
    if challenged.answer is None:
        assert faults(found) == faulty
        assert "did it stop" in of(found, Trial.PAGE).hint
        assert "see the trial page" in of(found, Trial.LOGIN_VIEW).came
