from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps

from idlewatch.conf import conf
from idlewatch.http.reauthentication import Allauth, OneTimeCode, Password


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The apps that seem to be installed besides those of the tests' site."""
    really, more = apps.is_installed, list[str]()
    monkeypatch.setattr(apps, "is_installed", lambda name: name in more or really(name))
    return more


@pytest.mark.parametrize(("app", "kind"), [("allauth.account", Allauth), ("django_otp", OneTimeCode)])
def test_a_package_without_the_object_that_fits_it_and_the_other_way_round(
    found: Any, settings: Any, installed: list[str], app: str, kind: type
):
    path = f"idlewatch.http.reauthentication.{kind.__name__}"
    settings.IDLEWATCH = {"REAUTHENTICATE": path}
    assert f"{app!r} is not in INSTALLED_APPS" in found()["E049"].msg
    installed.append(app)
    if kind is Allauth:
        assert "account_reauthenticate" in found()["E049"].msg
    else:
        assert found() == {}
    settings.IDLEWATCH = {}
    assert path in found()["W043"].hint
    settings.IDLEWATCH = {"REAUTHENTICATE": "idlewatch.http.reauthentication.Password"}
    assert found() == {}


@pytest.mark.parametrize("value", ["idlewatch.nowhere", "idlewatch.conf.conf", "idlewatch.store.redis.RedisStore", 5])
def test_a_value_that_is_no_such_object(found: Any, settings: Any, value: object):
    settings.IDLEWATCH = {"REAUTHENTICATE": value}
    assert "expected the dotted path of an object with the methods proved_at and url" in found()["E048"].msg


INSTANCE = Password()


@pytest.mark.parametrize("name", ["Password", "INSTANCE"])
def test_an_object_and_its_class_both_do(settings: Any, name: str):
    settings.IDLEWATCH = {"REAUTHENTICATE": f"{__name__}.{name}"}
    assert isinstance(conf.reauthenticate, Password)
