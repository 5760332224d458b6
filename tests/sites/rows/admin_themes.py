"""Other faces of the admin, and Wagtail's own."""

from __future__ import annotations

from typing import Any

from django.urls import include, path

from tests.sites.row import Row, SignIn
from tests.sites.views import plain_urls

WAGTAIL = (
    "wagtail.contrib.forms",
    "wagtail.contrib.redirects",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
)


def _themed(name: str, package: str, *apps: str, **more: Any) -> Row:
    admin = {"page": "/admin/", "sign_in": SignIn("/admin/login/"), "settings": {"LOGIN_URL": "admin:login"}}
    return Row(name, packages=(package,), first_apps=apps, **{**admin, **more})


ROWS = [
    _themed("django-unfold", "django-unfold", "unfold"),
    _themed("django-jazzmin", "django-jazzmin", "jazzmin"),
    _themed(
        "django-grappelli",
        "django-grappelli",
        "grappelli",
        urls=lambda: [path("grappelli/", include("grappelli.urls")), *plain_urls()],
    ),
    _themed("django-daisy", "django-daisy", "django_daisy", "django.contrib.humanize"),
    _themed(
        "django-jet-reboot",
        "django-jet-reboot",
        "jet",
        urls=lambda: [path("jet/", include("jet.urls", "jet")), *plain_urls()],
    ),
    _themed("django-simpleui", "django-simpleui", "simpleui"),
    Row(
        "Wagtail",
        packages=("wagtail",),
        first_apps=("tests.sites.wagtail_site",),
        apps=WAGTAIL,
        settings={"LOGIN_URL": "wagtailadmin_login", "WAGTAIL_SITE_NAME": "A site", "WAGTAILADMIN_BASE_URL": ""},
        urls=lambda: [path("cms/", include("wagtail.admin.urls")), *plain_urls()],
        page="/cms/",
        sign_in=SignIn("/cms/login/"),
    ),
]
