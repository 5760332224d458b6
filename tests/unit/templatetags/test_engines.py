"""Projects with another engine of templates before Django's, or with several of Django's."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.template import TemplateSyntaxError
from django.template.backends.base import BaseEngine
from django.urls import include, path
from django.views.generic import RedirectView

from idlewatch.templatetags.idlewatch import render

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]

JINJA = {"BACKEND": f"{__name__}.Jinja", "DIRS": [], "APP_DIRS": True}
DJANGO = {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": []}
FIRST = {
    "jinja": JINJA,
    "bare": DJANGO | {"NAME": "bare"},
    "mails": DJANGO | {"NAME": "mails", "APP_DIRS": True, "OPTIONS": {"autoescape": False}},
}


class Jinja(BaseEngine):
    """As django-jinja is set up: it takes the templates in Django's folders for its own, and can't read them."""

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__({key: value for key, value in params.items() if key != "OPTIONS"})

    def get_template(self, template_name: str) -> NoReturn:
        raise TemplateSyntaxError(template_name)


urlpatterns = [
    path("", lambda request: HttpResponse(render(request))),
    path("login/", RedirectView.as_view(url="/")),
    path("idlewatch/", include("idlewatch.urls")),
]


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize(
    "address", ["/", "/idlewatch/sessions/", "/idlewatch/signed-in/", "/idlewatch/reauthenticate/?next=/"]
)
def test_what_idlewatch_shows_is_rendered_by_an_engine_of_django_s(client, settings, first, address):
    settings.TEMPLATES = [FIRST[first], *project.TEMPLATES]
    client.force_login(User.objects.create(username="user"))
    response = client.get(address)
    assert response.status_code == 200
    assert b'data-config="{&quot;' in response.content
