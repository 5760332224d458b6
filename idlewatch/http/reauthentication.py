"""The objects that `REAUTHENTICATE` names: where users reauthenticate, and when they last did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.urls import reverse

from idlewatch.core.clock import as_datetime

PROVED_KEY = "_idlewatch_proved"
"""Key in the session's data of the time at which the user gave the password on idlewatch's page (epoch seconds)."""


@dataclass(frozen=True)
class Password:
    """Django's password, which a page of idlewatch asks for."""

    def proved_at(self, request: HttpRequest) -> datetime | None:
        """Return when the user of this session last gave the password there."""
        at = request.session.get(PROVED_KEY)
        return None if at is None else as_datetime(at)

    def url(self, request: HttpRequest, next: str) -> str | None:  # noqa: A002 - as Django's parameter
        """Return the URL of that page; None for a user with nothing to ask for."""
        user = cast("AbstractBaseUser", request.user)
        if not self.asks_password(user) and not self.asks_code(user):
            return None
        return f"{reverse('idlewatch:reauthenticate')}?{urlencode({'next': next})}"

    def asks_password(self, user: AbstractBaseUser) -> bool:
        """Return whether the user has a password."""
        return user.has_usable_password()

    def asks_code(self, user: AbstractBaseUser) -> bool:
        """Return whether the user has to give a one-time code too."""
        return False

    def accepts_code(self, request: HttpRequest, user: AbstractBaseUser, code: str) -> bool:
        """Return whether a one-time code is right."""
        return False


@dataclass(frozen=True)
class OneTimeCode(Password):
    """Django's password and, for users who have a device of django-otp, a one-time code."""

    def asks_code(self, user: AbstractBaseUser) -> bool:
        """Return whether the user has a confirmed device."""
        from django_otp import user_has_device  # noqa: PLC0415 - a package that may not be installed

        return bool(user_has_device(user))

    def accepts_code(self, request: HttpRequest, user: AbstractBaseUser, code: str) -> bool:
        """Return whether one of the user's devices accepts the code; the session is verified by it then."""
        from django_otp import login, match_token  # noqa: PLC0415 - as above

        # It counts failures, and refuses a code that was used.
        device = match_token(user, code)
        if device is not None:
            login(request, device)
        return device is not None


@dataclass(frozen=True)
class Allauth:
    """The reauthentication of django-allauth: by password, or by what its MFA app offers the user."""

    def proved_at(self, request: HttpRequest) -> datetime | None:
        """Return when the user last passed that reauthentication in this session."""
        # Its function for this has other parameters in each version.
        records: list[dict[str, Any]] = request.session.get("account_authentication_methods", [])
        # The others were made by sign-ins, of other users too, that may have stopped halfway.
        times = [record["at"] for record in records if record.get("reauthenticated")]
        return as_datetime(max(times)) if times else None

    def url(self, request: HttpRequest, next: str) -> str | None:  # noqa: A002 - as Django's parameter
        """Return the URL of its page; None for users who only sign in by another site."""
        from allauth.account.adapter import get_adapter  # noqa: PLC0415 - as above

        methods = get_adapter(request).get_reauthentication_methods(request.user)
        return f"{methods[0]['url']}?{urlencode({'next': next})}" if methods else None
