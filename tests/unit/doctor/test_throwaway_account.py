from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import DatabaseError, models
from django.db.models.signals import post_save
from django.test.utils import isolate_apps

from idlewatch.doctor import throwaway_account as here
from idlewatch.doctor.throwaway_account import NoThrowawayAccount, throwaway_account
from idlewatch.models import WatchedSession
from idlewatch.monitor import probes

pytestmark = pytest.mark.django_db

LIMITS = probes.limits(idle_timeout=60, warn_before=10)


@pytest.fixture(autouse=True)
def debug(settings: Any) -> None:
    settings.DEBUG = True


def test_has_no_password_and_no_rights():
    with throwaway_account() as user:
        found = User.objects.get()
        assert found == user
        assert not found.has_usable_password()
        assert (found.is_staff, found.is_superuser, found.get_all_permissions()) == (False, False, set())
        found.full_clean(exclude=["password"])
    assert not User.objects.exists()


def test_what_refers_to_it_goes_and_the_records_of_its_sessions_keep_its_name(site: None):
    with throwaway_account() as user:
        LogEntry.objects.create(user=user, action_flag=1)
        with probes.probing(user, LIMITS, lambda: 1_000_000.0):
            pass
    assert not LogEntry.objects.exists()
    record = WatchedSession.objects.get()
    assert (record.user, record.username) == (None, user.get_username())


def test_is_removed_after_an_exception():
    def work() -> None:
        with throwaway_account():
            raise ValidationError("any")

    with pytest.raises(ValidationError):
        work()
    assert not User.objects.exists()


def test_one_that_a_receiver_of_the_project_refuses_is_not_left():
    def refuse(**_: Any) -> None:
        raise DatabaseError("no tenant: 5ecret")

    post_save.connect(refuse, User)
    try:
        with pytest.raises(NoThrowawayAccount, match="could not be made") as raised, throwaway_account():
            pass
    finally:
        post_save.disconnect(refuse, User)
    assert "5ecret" not in str(raised.value)
    assert not User.objects.exists()


def test_there_is_none_in_production(settings: Any):
    settings.DEBUG = False
    with pytest.raises(NoThrowawayAccount, match="DEBUG is False"), throwaway_account():
        pass
    assert not User.objects.exists()


@isolate_apps("tests.support")
@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (models.EmailField(), "doctor.invalid"),
        (models.CharField(max_length=40), "idlewatch-doctor-"),
        (models.IntegerField(), "20"),
        (models.UUIDField(), "-"),
    ],
)
def test_names_of_any_type_can_be_made(field: Any, expected: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(here, "get_user_model", lambda: model_with(name=field))
    assert expected in str(here._unsaved().get_username())


@isolate_apps("tests.support")
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": models.CharField(max_length=40), "badge": models.CharField(max_length=9)}, "badge"),
        (
            {
                "name": models.CharField(max_length=40),
                "team": models.ForeignKey(User, models.CASCADE, related_name="+"),
                "badge": models.IntegerField(),
            },
            "badge, team",
        ),
        ({"name": models.CharField(max_length=9)}, "name"),
        ({"name": models.DateField()}, "name"),
    ],
)
def test_fields_whose_value_is_not_known_are_named(fields: Any, named: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(here, "get_user_model", lambda: model_with(**fields))
    with pytest.raises(NoThrowawayAccount, match=f"not known here: {named}; expected --user NAME"):
        here._unsaved()


def model_with(**fields: Any) -> type[AbstractBaseUser]:
    """Make a user model, whose user name is the field `name`."""

    class Meta:
        app_label = "support"

    namespace: dict[str, Any] = {
        "__module__": __name__,
        "Meta": Meta,
        "USERNAME_FIELD": "name",
        "is_active": models.BooleanField(default=False),
        **fields,
    }
    return type("Person", (AbstractBaseUser,), namespace)
