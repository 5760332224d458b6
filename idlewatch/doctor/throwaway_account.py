"""An account for one run of the doctor, made and removed; in DEBUG alone, where there is nothing to protect."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import DatabaseError, models, router, transaction
from django.db.models import ProtectedError, RestrictedError

from idlewatch.exceptions import IdleWatchError


def _name() -> str:
    return f"idlewatch-doctor-{secrets.token_hex(4)}"


MAKERS: Mapping[type[models.Field[Any, Any]], Callable[[], object]] = {
    models.EmailField: lambda: f"{_name()}@doctor.invalid",
    models.CharField: _name,
    models.UUIDField: uuid.uuid4,
    # Larger ones than any that a site gives out, and small enough for the column.
    models.IntegerField: lambda: 2_000_000_000 + secrets.randbelow(100_000_000),
}
"""What makes a user name, by the type of its field; the first that fits."""


class NoThrowawayAccount(IdleWatchError):
    """No account can be made for the doctor, or it can't be removed."""


@contextmanager
def throwaway_account() -> Iterator[AbstractBaseUser]:
    """Make an account without a password and without rights, and remove it with all that refers to it.

    The records of its sessions stay, with its name.

    Raises:
        NoThrowawayAccount: it can't be made, or removed.
    """
    if not settings.DEBUG:
        raise NoThrowawayAccount("DEBUG is False; expected --user NAME, an account with no rights.")
    user = _unsaved()
    try:
        _save(user)
        yield user
    finally:
        _remove(user)


def _unsaved() -> AbstractBaseUser:
    model = get_user_model()
    field = model._meta.get_field(model.USERNAME_FIELD)
    make = next((make for kind, make in MAKERS.items() if isinstance(field, kind)), None)
    if make is None:
        raise _unmakeable([model.USERNAME_FIELD])
    user = model(**{model.USERNAME_FIELD: make()})
    user.set_unusable_password()
    # It may be false until an address is confirmed.
    user.is_active = True
    try:
        user.clean_fields()
    except ValidationError as error:
        raise _unmakeable(sorted(error.message_dict)) from None
    return user


def _unmakeable(names: list[str]) -> NoThrowawayAccount:
    return NoThrowawayAccount(
        f"an account needs a value that is not known here: {', '.join(names)}; expected --user NAME, one that exists."
    )


def _save(user: AbstractBaseUser) -> None:
    database = router.db_for_write(type(user))
    try:
        # The project's receivers may add a profile to it, or fail.
        with transaction.atomic(using=database):
            user.save(using=database, force_insert=True)
    except DatabaseError as error:
        raise NoThrowawayAccount(
            f"the account could not be made ({type(error).__name__}); expected --user NAME, one that exists."
        ) from None


def _remove(user: AbstractBaseUser) -> None:
    if user.pk is None:
        return
    model = type(user)
    try:
        # By a query: a model's own `delete` may only mark it as deleted.
        model._base_manager.using(router.db_for_write(model)).filter(pk=user.pk).delete()
    except (DatabaseError, ProtectedError, RestrictedError) as error:
        raise NoThrowawayAccount(
            f"the account {user.get_username()!r} could not be removed ({type(error).__name__}); remove it by hand."
        ) from None
