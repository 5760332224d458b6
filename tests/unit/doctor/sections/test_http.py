"""The HTTP section, over the site of the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path, reverse
from django.views.static import serve

from idlewatch.doctor.clients.http_client import Answer
from idlewatch.doctor.findings import Finding, Outcome, Trial
from idlewatch.doctor.sections import http
from idlewatch.doctor.site import CHALLENGES, Options, Site
from idlewatch.http.challenge import secret_of
from idlewatch.views.ops import healthz, readyz
from tests.support.django_side import DjangoSide, site_at
from tests.support.examined import of, outcomes
from tests.support.settings import STATICFILES_DIRS

pytestmark = pytest.mark.django_db
OK, WARNING, FAULT, SKIPPED = Outcome.OK, Outcome.WARNING, Outcome.FAULT, Outcome.SKIPPED
IDLEWATCH = path("idlewatch/", include("idlewatch.urls"))
STATIC = path("static/<path:path>", serve, {"document_root": STATICFILES_DIRS[0]})


def ready(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"ready": True, "problems": []})


class URLs:
    """The URLs of a site."""

    def __init__(self, *patterns: Any) -> None:
        self.urlpatterns = patterns


@pytest.fixture
def have(settings: Any) -> Callable[..., None]:
    """Give the site other URLs."""

    def have(*patterns: Any) -> None:
        settings.ROOT_URLCONF = URLs(*patterns)

    return have


@pytest.fixture
def right(have: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a site on which nothing is wrong; its process has no timer, of which `readyz` is to tell nothing."""
    monkeypatch.setattr(http, "readyz", ready)
    have(IDLEWATCH, STATIC, path("healthz", healthz), path("readyz", ready))


@pytest.fixture
def examine() -> Iterator[Callable[..., Sequence[Finding]]]:
    """Examine the site at an address."""
    sites = list[Site]()

    def examine(url: str = "http://127.0.0.1:8000/", options: Options | None = None, **proxied: str | None) -> Any:
        sites.append(site_at(url, options, **proxied))
        # Its processes have no timer, for whose first round the doctor would wait.
        vars(sites[-1])["reports"] = {each.report.process: each.report for each in sites[-1].answered if each.report}
        return list(http.examine(sites[-1]))

    yield examine
    for site in sites:
        site.close()


@pytest.mark.usefixtures("right")
def test_nothing_is_wrong_with_a_right_site(examine: Any):
    findings = examine()
    assert {finding.trial: (finding.outcome, finding.came) for finding in findings if finding.outcome is not OK} == {}
    assert "9 of 9 answered" in of(findings, Trial.CHALLENGE).came
    assert "127.0.0.1:8000/idlewatch/diagnosis/" in of(findings, Trial.CHALLENGE).tried


def test_all_is_skipped_without_an_address():
    site = Site(Options())
    findings = list(http.examine(site))
    site.close()
    assert set(outcomes(findings).values()) == {SKIPPED}
    assert {finding.trial for finding in findings} >= {
        Trial.CHALLENGE,
        Trial.SESSION_COOKIE,
        Trial.HEALTH,
        Trial.SCRIPT,
    }


class TestChallenge:
    def test_of_another_key_is_the_one_fault(self, right: None, examine: Any, settings: Any, monkeypatch: Any):
        monkeypatch.setattr("idlewatch.views.diagnosis.secret_of", lambda *_: None)
        findings = examine()
        assert [finding.trial for finding in findings if finding.outcome is FAULT] == [Trial.CHALLENGE]
        found = of(findings, Trial.CHALLENGE)
        assert found.came == "404 Not Found"
        assert "another SECRET_KEY" in found.hint

    def test_that_some_processes_do_not_answer_is_a_fault(self, right: None, monkeypatch: Any, examine: Any):
        answers = iter([True, False, False, True, True, True, True, True])
        monkeypatch.setattr(
            "idlewatch.views.diagnosis.secret_of", lambda *each: secret_of(*each) if next(answers) else None
        )
        found = of(examine(), Trial.CHALLENGE)
        assert (found.outcome, found.came) == (FAULT, "404 Not Found (2 of 8 times)")

    def test_that_is_redirected_since_no_scheme_is_passed_on_leaves_the_fault_to_the_proxy(
        self, right: None, examine: Any, settings: Any
    ):
        settings.SECURE_SSL_REDIRECT = True
        found = of(examine("https://localhost/"), Trial.CHALLENGE)
        assert found.outcome is SKIPPED
        assert "see forwarded-scheme" in found.came

    def test_that_only_the_public_address_answers_is_no_fault(self, right: None, examine: Any, settings: Any):
        settings.SECURE_SSL_REDIRECT = True
        findings = examine()
        assert FAULT not in outcomes(findings).values()
        assert "give that by --url" in of(findings, Trial.CHALLENGE).came

    def test_that_the_urls_lack_leaves_the_fault_to_the_checks(self, have: Any, examine: Any):
        have(path("healthz", healthz))
        found = of(examine(), Trial.CHALLENGE)
        assert found.outcome is SKIPPED
        assert "see system-checks" in found.came

    def test_with_a_stored_answer_tells_of_a_cache(self, right: None, examine: Any, monkeypatch: Any):
        """It has none while the first are asked for at once, and keeps one of those."""
        request, stored = DjangoSide.request, list[Answer]()

        def keeping(client: DjangoSide, path: str, **options: Any) -> Answer:
            if "diagnosis" in path and len(stored) == CHALLENGES:
                return stored[0]
            stored.append(request(client, path, **options))
            return stored[-1]

        monkeypatch.setattr(DjangoSide, "request", keeping)
        found = of(examine(), Trial.CHALLENGE)
        assert (found.outcome, found.came) == (FAULT, "200 OK, the answer to another challenge (1 of 9 times)")
        assert "no-store" in found.hint


class TestCookies:
    def test_of_another_domain_are_faults(self, right: None, examine: Any, settings: Any):
        settings.SESSION_COOKIE_DOMAIN = settings.CSRF_COOKIE_DOMAIN = "example.org"
        findings = examine()
        assert of(findings, Trial.SESSION_COOKIE).outcome is of(findings, Trial.CSRF_COOKIE).outcome is FAULT
        assert "example.org" in of(findings, Trial.SESSION_COOKIE).came

    def test_there_is_none_for_csrf_in_sessions(self, right: None, examine: Any, settings: Any):
        settings.CSRF_USE_SESSIONS = True
        assert Trial.CSRF_COOKIE not in outcomes(examine())

    def test_without_tls_are_unwise(self, right: None, examine: Any, settings: Any):
        settings.ALLOWED_HOSTS = ["site.example"]
        assert outcomes(examine("http://site.example/"))[Trial.SESSION_COOKIE] is WARNING

    @pytest.mark.parametrize(
        ("url", "allowed", "why", "remedy"),
        [
            ("http://site.example/", ["site.example"], "neither https nor", "Give the https address"),
            ("https://site.example/", ["*"], "'*'", "Name the host in ALLOWED_HOSTS"),
        ],
    )
    def test_of_a_probe_may_not_go_everywhere(
        self, url: str, allowed: list[str], why: str, remedy: str, right: None, examine: Any, settings: Any
    ):
        settings.ALLOWED_HOSTS, settings.SESSION_COOKIE_SECURE = allowed, True
        faults = [each for each in examine(url, Options(user=User())) if each.outcome is FAULT]
        assert [remedy in each.hint for each in faults if why in each.came] == [True]
        assert not any("may not" in each.came for each in examine(url))


class TestHealth:
    def test_is_skipped_without_a_url(self, have: Any, examine: Any):
        have(IDLEWATCH, STATIC)
        came = outcomes(examine())
        assert (came[Trial.HEALTH], came[Trial.READINESS]) == (SKIPPED, SKIPPED)

    def test_names_the_parts_that_are_not_ready(self, have: Any, examine: Any):
        """The process of a test has no timer."""
        have(IDLEWATCH, path("readyz", readyz))
        found = of(examine(), Trial.READINESS)
        assert (found.outcome, found.came) == (FAULT, "503, not ready: timer")

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"<html>", b'{"problems": 1}', b'{"problems": []}', b"\xff", b'{"ready": false}']
    )
    def test_names_no_parts_if_none_are_named(self, body: bytes, have: Any, examine: Any, monkeypatch: Any):
        def odd(request: HttpRequest) -> HttpResponse:
            return HttpResponse(body, status=503)

        monkeypatch.setattr(http, "readyz", odd)
        have(IDLEWATCH, path("readyz", odd))
        assert of(examine(), Trial.READINESS).came == "503, not ready: it names no parts"

    @pytest.mark.parametrize("status", [401, 403])
    def test_may_be_closed_to_the_outside(self, status: int, have: Any, examine: Any, monkeypatch: Any):
        def closed(request: HttpRequest) -> HttpResponse:
            return HttpResponse(status=status)

        monkeypatch.setattr(http, "healthz", closed)
        have(IDLEWATCH, path("healthz", closed))
        found = of(examine(), Trial.HEALTH)
        assert found.outcome is OK
        assert "closed" in found.came

    @pytest.mark.parametrize(
        "response",
        [
            HttpResponse(status=302, headers={"Location": "/login/?token=secret"}),
            HttpResponse("<html>"),
            HttpResponse(status=500),
        ],
    )
    def test_is_a_fault_if_something_else_answers(
        self, response: HttpResponse, have: Any, examine: Any, monkeypatch: Any
    ):
        def other(request: HttpRequest) -> HttpResponse:
            return response

        for name in ("healthz", "readyz"):
            monkeypatch.setattr(http, name, other)
        have(IDLEWATCH, path("healthz", other), path("readyz", other))
        findings = examine()
        for trial in (Trial.HEALTH, Trial.READINESS):
            assert of(findings, trial).outcome is FAULT
            assert "secret" not in of(findings, trial).came

    def test_is_found_wherever_its_url_is(self, have: Any):
        inner = URLs(path("up", healthz, name="up"), path("unnamed", readyz))
        have(path("ops/", include((inner.urlpatterns, "ops"), namespace="monitoring")))
        assert http.url_of(healthz) == reverse("monitoring:up") == "/ops/up"
        assert http.url_of(readyz) is None
        have(path("a/<int:number>/", healthz, name="numbered"), path("b/", healthz))
        assert http.url_of(healthz) == "/b/"


class TestStaticFiles:
    def test_are_the_ones_that_pages_name(self, right: None, examine: Any, settings: Any):
        findings = examine()
        assert of(findings, Trial.SCRIPT).tried == "The client's script /static/idlewatch/idlewatch.min.js"
        assert of(findings, Trial.STYLESHEET).came.endswith("bytes as installed")

    def test_are_not_served(self, have: Any, examine: Any):
        have(IDLEWATCH)
        findings = examine()
        for trial in (Trial.SCRIPT, Trial.STYLESHEET):
            found = of(findings, trial)
            assert (found.outcome, found.came) == (FAULT, "404 Not Found")

    def test_are_in_no_manifest(self, right: None, examine: Any, settings: Any, tmp_path: Any):
        storage = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
        settings.STATIC_ROOT = tmp_path
        settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": storage}}
        found = of(examine(), Trial.SCRIPT)
        assert found.outcome is FAULT
        assert "collectstatic" in found.hint

    def test_come_without_tls(self, right: None, examine: Any, settings: Any, monkeypatch: Any):
        monkeypatch.setattr("idlewatch.ops.self_report.static", lambda name: f"http://cdn.example/{name}?token=secret")
        found = of(examine("https://localhost/"), Trial.SCRIPT)
        assert "without TLS" in found.came
        assert "secret" not in found.tried

    def test_have_another_name_here(self, right: None, examine: Any, monkeypatch: Any):
        monkeypatch.setattr(http, "static_url", lambda name: f"/static/{name}.new")
        found = of(examine(), Trial.SCRIPT)
        assert found.outcome is WARNING
        assert "restart" in found.hint

    def test_do_not_answer(self, right: None, examine: Any, monkeypatch: Any):
        monkeypatch.setattr("idlewatch.ops.self_report.static", lambda name: f"http://127.0.0.1:1/{name}")
        assert "nothing listens at 127.0.0.1:1" in of(examine(), Trial.SCRIPT).came


def test_no_answer_shows_its_body():
    assert "secret" not in repr(Answer("secret", 200, "secret", None, b"secret", 0.1))  # type: ignore[arg-type]
