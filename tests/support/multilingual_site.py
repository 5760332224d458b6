"""A site whose URLs begin with the page's language, except those of the client."""

from __future__ import annotations

from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth.views import LoginView
from django.urls import include, path

from tests.support.http_site import closed, page

urlpatterns = [
    *i18n_patterns(
        path("login/", LoginView.as_view(template_name="admin/login.html"), name="login"),
        path("page/", page),
        path("closed/", closed),
    ),
    path("idlewatch/", include("idlewatch.urls")),
]
