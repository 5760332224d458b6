from __future__ import annotations

import pytest
from django.core.checks import ERROR

from idlewatch.middleware import IdleWatchMiddleware

IDLEWATCH = "idlewatch.middleware.IdleWatchMiddleware"
SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"
BASE = [SESSION, AUTHENTICATION]


class OwnMiddleware(IdleWatchMiddleware):
    """A project's own."""


def own(*_: object) -> None:
    """Be no middleware."""


@pytest.mark.parametrize(
    ("middleware", "expected"),
    [
        ([*BASE, IDLEWATCH], []),
        ((*BASE, f"{__name__}.OwnMiddleware"), []),
        ([*BASE, IDLEWATCH, LOGIN_REQUIRED], []),
        (BASE, ["E022"]),
        ([*BASE, LOGIN_REQUIRED], ["E022"]),
        ([], ["E022"]),
        ([SESSION, IDLEWATCH, AUTHENTICATION], ["E023"]),
        ([IDLEWATCH, SESSION, AUTHENTICATION], ["E023"]),
        ([SESSION, IDLEWATCH], ["E023"]),
        ([*BASE, LOGIN_REQUIRED, IDLEWATCH], ["E024"]),
        ([*BASE, "nowhere.Middleware", IDLEWATCH], []),
        # Some packages have one of their own that is no subclass of Django's.
        (["user_sessions.middleware.SessionMiddleware", AUTHENTICATION, IDLEWATCH], []),
        ([AUTHENTICATION, IDLEWATCH, "user_sessions.middleware.SessionMiddleware"], ["E023"]),
        ([*BASE, f"{__name__}.own", IDLEWATCH], []),
    ],
)
def test_middleware_missing_or_in_the_wrong_place_is_an_error(found, middleware, expected):
    messages = found(MIDDLEWARE=middleware)
    assert sorted(messages) == expected
    assert all(message.level == ERROR and message.hint for message in messages.values())


def test_pages_that_a_middleware_renders_before_it_are_found(found):
    flatpages = "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware"
    assert not found(MIDDLEWARE=[*BASE, IDLEWATCH, flatpages])
    (message,) = found(MIDDLEWARE=[flatpages, *BASE, IDLEWATCH]).values()
    assert message.id == "idlewatch.W045"
