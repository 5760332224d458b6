"""Whether an account may go on, whatever managers and backends a site has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.contrib.auth.models import User, UserManager
from django.db.models import QuerySet
from msgspec.structs import replace

from idlewatch.core.activity import Reason
from idlewatch.monitor import accounts, revalidation
from idlewatch.store.values import Watched
from tests.conftest import START
from tests.support.watches import known, sign_in_many

pytestmark = pytest.mark.django_db


class TenantManager(UserManager):
    """Shows the users of the tenant that a middleware sets for each request; elsewhere there is none."""

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().none()


class ScopedManager(UserManager):
    """Refuses to be asked without a tenant."""

    def get_queryset(self) -> QuerySet:
        raise LookupError("no scope")


class SoftDeletionManager(UserManager):
    """Hides the accounts that were deleted softly: here, those with a mark in the place of their name."""

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().exclude(first_name="deleted")


class PermissionBackend(BaseBackend):
    """Has permissions alone, and signs no one in."""


class StaffBackend(ModelBackend):
    def user_can_authenticate(self, user: Any) -> bool:
        return user.is_staff


class PlainBackend:
    """Does not judge accounts by itself."""

    def get_user(self, key: object) -> None:
        raise AssertionError("it may need a request")


@pytest.fixture
def use_manager() -> Iterator[Callable[[UserManager], None]]:
    with pytest.MonkeyPatch.context() as patch:

        def use(manager: UserManager) -> None:
            manager.model = User
            patch.setitem(vars(User._meta), "default_manager", manager)

        yield use


def reason_after_two_checks(watched: Watched) -> Reason | None:
    for doubted in (False, True):
        revalidation.examine([replace(known(watched.id), unfinished=doubted)], START + 30)
    return known(watched.id).activity.reason


@pytest.mark.parametrize("manager", [TenantManager, ScopedManager, SoftDeletionManager])
def test_a_manager_that_hides_accounts_ends_no_session(
    use_manager: Callable[..., None], manager: type[UserManager], django_capture_on_commit_callbacks: Any
):
    (watched,) = sign_in_many(1)
    User.objects.update(first_name="deleted")
    use_manager(manager())
    assert reason_after_two_checks(watched) is None
    # Nor does a change of such an account, which says nothing.
    user = User._base_manager.get()
    user.is_staff = True
    with django_capture_on_commit_callbacks(execute=True):
        user.save()
    assert known(watched.id).activity.reason is None


def test_the_sessions_of_an_account_that_is_deleted_softly_end(
    use_manager: Callable[..., None], django_capture_on_commit_callbacks: Any
):
    (watched,) = sign_in_many(1)
    (other,) = sign_in_many(1, name="eve")
    use_manager(SoftDeletionManager())
    user = User._base_manager.get(username="ada")
    user.first_name = "deleted"
    with django_capture_on_commit_callbacks(execute=True):
        user.save(update_fields=["first_name"])
    assert (known(watched.id).activity.reason, known(other.id).activity.reason) == (Reason.ACCOUNT, None)


@pytest.mark.parametrize(
    ("backends", "is_active", "is_staff", "usable"),
    [
        ([ModelBackend], True, False, True),
        ([ModelBackend], False, False, False),
        ([StaffBackend], True, False, False),
        ([StaffBackend], False, True, True),
        ([StaffBackend, PermissionBackend], True, False, False),
        ([StaffBackend, ModelBackend], True, False, True),
        ([StaffBackend, PlainBackend], True, False, True),
        ([PlainBackend], True, False, True),
        ([PlainBackend], False, False, False),
        ([PermissionBackend], True, False, True),
        ([], True, False, True),
        ([], False, False, False),
    ],
)
def test_the_backends_of_the_site_say_which_accounts_may_go_on(
    settings: Any, backends: list[type], is_active: bool, is_staff: bool, usable: bool
):
    settings.AUTHENTICATION_BACKENDS = [f"{each.__module__}.{each.__qualname__}" for each in backends]
    assert accounts.is_usable(User(is_active=is_active, is_staff=is_staff)) is usable
