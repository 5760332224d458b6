from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings as project
from django.urls import include, path
from django.views.generic import RedirectView

IDLEWATCH = "idlewatch.middleware.IdleWatchMiddleware"
REFRESH = "mozilla_django_oidc.middleware.SessionRefresh"
EXEMPT = ["idlewatch:state", "/idlewatch/page/", re.compile("/idlewatch/dr")]
PROVIDER = type("RequestView", (RedirectView,), {"__module__": "mozilla_django_oidc.views"})
OWN_PROVIDER = type("OwnRequestView", (PROVIDER,), {"__module__": "shop.views"})


def urls(view: Any) -> tuple[Any, ...]:
    ours = path("idlewatch/", include("idlewatch.urls"))
    return (path("login/", view.as_view()), path("private/", view.as_view()), ours)


@pytest.mark.parametrize(("view", "expected"), [(PROVIDER, ["W050"]), (OWN_PROVIDER, ["W050"]), (RedirectView, [])])
def test_a_login_page_that_is_another_sites_is_found(found: Any, view: Any, expected: list[str]):
    assert list(found(ROOT_URLCONF=urls(view))) == expected


@pytest.mark.parametrize("name", ["RemoteUserMiddleware", "PersistentRemoteUserMiddleware"])
def test_a_server_that_signs_requests_in_is_found(found: Any, name: str):
    messages = found(MIDDLEWARE=[*project.MIDDLEWARE, f"django.contrib.auth.middleware.{name}"])
    assert list(messages) == ["W051"]
    assert name in messages["W051"].msg


@pytest.mark.parametrize(
    ("middleware", "exempt", "expected"),
    [
        ([*project.MIDDLEWARE, REFRESH], EXEMPT, {}),
        ([*project.MIDDLEWARE, REFRESH], ["idlewatch:page"], {"W052": "'idlewatch:state', 'idlewatch:drafts'"}),
        ([*project.MIDDLEWARE[:5], REFRESH, *project.MIDDLEWARE[5:]], EXEMPT, {"W053": "before"}),
    ],
)
def test_silent_sign_ins_that_do_harm_are_found(found: Any, middleware: Any, exempt: Any, expected: dict[str, str]):
    messages = found(MIDDLEWARE=middleware, OIDC_EXEMPT_URLS=exempt)
    assert list(messages) == list(expected)
    for identifier, named in expected.items():
        assert named in messages[identifier].msg
