from __future__ import annotations

import pytest
from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings as project
from django.core.asgi import get_asgi_application
from django.test.utils import override_script_prefix
from django.urls import path

import idlewatch.asgi
from idlewatch.asgi import watched

LOCALE = "django.middleware.locale.LocaleMiddleware"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ROOT_URLCONF": (), "LOGIN_URL": "https://login.example/"}, ["E027", "W022"]),
        ({"ROOT_URLCONF": "nowhere.urls"}, []),
        ({"LOGIN_URL": "nowhere"}, ["E028"]),
        ({"LOGIN_URL": "/nowhere/"}, ["W012"]),
        ({"LOGIN_URL": "/nowhere/", "MIDDLEWARE": [*project.MIDDLEWARE, LOCALE]}, []),
        ({"LOGIN_URL": "login"}, []),
        ({"LOGIN_URL": "/login"}, []),
        ({"LOGIN_URL": "/login/?from=here"}, []),
        ({"LOGIN_URL": "https://login.example/"}, []),
        ({"SESSION_COOKIE_PATH": "/app/"}, ["W035"]),
        ({"SESSION_COOKIE_PATH": "/ws"}, ["W035"]),
        ({"SESSION_COOKIE_PATH": None}, ["W035"]),
        ({"CSRF_HEADER_NAME": "HTTP_X_XSRF_TOKEN"}, []),
        ({"CSRF_HEADER_NAME": "X-XSRF-TOKEN"}, ["W036"]),
        ({"CSRF_HEADER_NAME": None}, ["W036"]),
        ({"LOGIN_REDIRECT_URL": "/accounts/profile/"}, []),
        ({"LOGIN_REDIRECT_URL": None}, ["W022"]),
        ({"LOGIN_REDIRECT_URL": ""}, ["W022"]),
        ({"LOGIN_REDIRECT_URL": "nowhere"}, ["W022"]),
        ({"LOGIN_REDIRECT_URL": "/nowhere/"}, ["W022"]),
        ({"LOGIN_REDIRECT_URL": "/nowhere/", "MIDDLEWARE": [*project.MIDDLEWARE, LOCALE]}, []),
        ({"LOGIN_REDIRECT_URL": "login"}, []),
        ({"LOGIN_REDIRECT_URL": "/private?from=here"}, []),
        ({"LOGIN_REDIRECT_URL": "https://start.example/"}, []),
        ({"TEMPLATES": []}, ["E057"]),
        ({"TEMPLATES": [{**project.TEMPLATES[0], "APP_DIRS": False}]}, ["E057"]),
        ({"TEMPLATES": [{**project.TEMPLATES[0], "APP_DIRS": False, "NAME": "bare"}, project.TEMPLATES[0]]}, []),
    ],
)
def test_urls_and_templates_that_do_not_fit_are_found(found, changes, expected):
    messages = found(**changes)
    assert sorted(messages) == expected
    assert all(message.hint for message in messages.values())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (None, "W009"),
        ("", "W009"),
        ("nowhere.application", "W010"),
        ("tests.support.urls.public", "W011"),
    ],
)
def test_project_whose_sockets_are_not_served_gets_a_warning(found, monkeypatch, path, expected):
    monkeypatch.setattr(idlewatch.asgi, "is_watched", lambda: False)
    (message,) = found(ASGI_APPLICATION=path).values()
    assert message.id == f"idlewatch.{expected}"
    assert repr(path) in message.msg


def test_application_is_imported_to_see_that_it_is_watched(found):
    assert found(ASGI_APPLICATION="tests.support.asgi.application") == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"LOGIN_URL": "login", "LOGIN_REDIRECT_URL": "/app/private/", "SESSION_COOKIE_PATH": "/app"}, []),
        ({"LOGIN_URL": "login", "LOGIN_REDIRECT_URL": "/app/private/", "SESSION_COOKIE_PATH": "/ap"}, ["W035"]),
        ({"LOGIN_URL": "/login/", "LOGIN_REDIRECT_URL": "/private/"}, ["W012", "W022"]),
    ],
)
def test_below_a_script_name_what_lies_outside_is_not_the_sites(found, changes, expected):
    with override_script_prefix("/app/"):
        assert sorted(found(**changes)) == expected


sockets = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter([path("ws/chat/", WebsocketConsumer.as_asgi())])))
around_all = watched(ProtocolTypeRouter({"http": get_asgi_application(), "websocket": sockets}))
around_each = ProtocolTypeRouter({"http": watched(get_asgi_application()), "websocket": watched(sockets)})
inside = ProtocolTypeRouter({"http": get_asgi_application(), "websocket": AuthMiddlewareStack(watched(sockets))})
around_http = ProtocolTypeRouter({"http": watched(get_asgi_application()), "websocket": sockets})
around_http_alone = ProtocolTypeRouter({"http": watched(get_asgi_application())})


@pytest.mark.parametrize(
    ("application", "expected"),
    [
        ("around_all", []),
        ("around_each", []),
        ("inside", []),
        ("test_application_is_imported_to_see_that_it_is_watched", []),
        ("around_http", ["E046"]),
        ("around_http_alone", ["E046"]),
    ],
)
def test_router_of_channels_has_to_let_sockets_through(found, application, expected):
    assert sorted(found(ASGI_APPLICATION=f"{__name__}.{application}")) == expected


@pytest.mark.parametrize("name", ["MIDDLEWARE", "TEMPLATES", "LOGIN_URL", "SESSION_COOKIE_AGE", "SESSION_ENGINE"])
@pytest.mark.parametrize("value", [None, 7, "", "..", [None]])
def test_no_setting_of_the_project_makes_the_checks_raise(found, name, value):
    found(deploy=True, **{name: value})
