"""The addresses of the site in `SITE`."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from tests.sites.settings import ROW
from tests.sites.views import answer, plain_urls

urlpatterns = [
    *(ROW.urls or plain_urls)(),
    path("api/", answer),
    path("admin/", admin.site.urls),
    path("idlewatch/", include("idlewatch.urls")),
]
