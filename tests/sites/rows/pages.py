"""How pages are made, and what follows their links."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.urls import include, path

from tests.sites.row import Row, without
from tests.sites.views import plain_urls, site_page

HTMX = """\
{% extends "sites/base.html" %}{% load django_htmx %}
{% block head %}{% htmx_script %}{% endblock %}
{% block content %}<h1>Private</h1><output hx-get="/api/" hx-trigger="every 300ms"></output>{% endblock %}
"""
BOOSTED = """\
{% extends "sites/base.html" %}{% load django_htmx %}
{% block head %}{% htmx_script %}{% endblock %}
{% block content %}<h1>Private</h1><nav hx-boost="true"><a href="/?next">Next</a></nav>{% endblock %}
"""
TURBO = """\
{% extends "sites/base.html" %}{% load static %}
{% block head %}<script type="module" src="{% static "turbo/turbo.es2017-esm.js" %}"></script>{% endblock %}
{% block content %}<h1>Private</h1><a href="/?next">Next</a>{% endblock %}
"""
UNPOLY = """\
{% extends "sites/base.html" %}{% load static %}
{% block head %}<script src="{% static "unpoly/unpoly.min.js" %}"></script>{% endblock %}
{% block content %}<h1>Private</h1><a href="/?next" up-follow>Next</a>{% endblock %}
"""
REACT = """\
{% extends "sites/base.html" %}{% load static %}
{% block content %}<div id="root"></div><script type="module" src="{% static "page.js" %}"></script>{% endblock %}
"""
INERTIA = """\
{% extends "sites/base.html" %}{% load static %}
{% block content %}{% block inertia %}{% endblock %}
<script type="module" src="{% static "page.js" %}"></script>{% endblock %}
"""
NODE_PACKAGES = Path(__file__).resolve().parents[3] / "node_modules"


def _jinja(plain: dict[str, Any]) -> dict[str, Any]:
    jinja = {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [Path(__file__).resolve().parents[1] / "jinja2"],
        "OPTIONS": {"context_processors": ["idlewatch.templatetags.context_processors.idlewatch"]},
    }
    return {"TEMPLATES": [jinja, *plain["TEMPLATES"]]}


def _jinja_urls() -> list[Any]:
    from tests.sites.jinja import page

    return [site_page(page), path("accounts/", include("django.contrib.auth.urls"))]


def _whitenoise(plain: dict[str, Any]) -> dict[str, Any]:
    middleware = "whitenoise.middleware.WhiteNoiseMiddleware"
    return {
        "INSTALLED_APPS": ["whitenoise.runserver_nostatic", *without(plain["INSTALLED_APPS"], "servestatic")],
        "MIDDLEWARE": [middleware if "servestatic" in each else each for each in plain["MIDDLEWARE"]],
        "WHITENOISE_USE_FINDERS": True,
        "WHITENOISE_AUTOREFRESH": True,
    }


def _with_packages(plain: dict[str, Any]) -> dict[str, Any]:
    packages = [("turbo", NODE_PACKAGES / "@hotwired/turbo/dist"), ("unpoly", NODE_PACKAGES / "unpoly")]
    return {"STATICFILES_DIRS": [*plain["STATICFILES_DIRS"], *packages]}


def _bundled(plain: dict[str, Any]) -> dict[str, Any]:
    return {"STATICFILES_DIRS": [*plain["STATICFILES_DIRS"], plain["DATABASES"]["default"]["NAME"].parent / "bundled"]}


def bundle_react() -> None:
    """Bundle the React page, as a site's build does."""
    _bundle("page.jsx")


def bundle_inertia() -> None:
    """Bundle the page of Inertia."""
    _bundle("inertia.jsx")


def _bundle(name: str) -> None:
    from django.conf import settings

    from tests.support import node

    source = Path(__file__).resolve().parents[1] / "react" / name
    options = ("--bundle", "--format=esm", "--jsx=automatic", f"--outfile={settings.STATICFILES_DIRS[-1]}/page.js")
    done = node.run("esbuild", str(source), *options, cwd=source.parent)
    assert done.returncode == 0, done.stderr


def _inertia(plain: dict[str, Any]) -> dict[str, Any]:
    # As its documentation has it, for the names that its client knows.
    names = {"CSRF_COOKIE_NAME": "XSRF-TOKEN", "CSRF_HEADER_NAME": "HTTP_X_XSRF_TOKEN"}
    return {"INERTIA_LAYOUT": "sites/inertia.html", **names, **_bundled(plain)}


def _inertia_urls() -> list[Any]:
    from tests.sites.inertia_page import page

    return [site_page(page), path("accounts/", include("django.contrib.auth.urls"))]


def _toolbar_urls() -> list[Any]:
    from debug_toolbar.toolbar import debug_toolbar_urls

    return [*plain_urls(), *debug_toolbar_urls()]


ROWS = [
    Row(
        "htmx, a page that polls",
        shows=("django-htmx",),
        apps=("django_htmx",),
        middleware=("django_htmx.middleware.HtmxMiddleware",),
        templates={"sites/page.html": HTMX},
        polls_itself=True,
    ),
    Row(
        "htmx, boosted links",
        rarely=True,
        shows=("django-htmx",),
        apps=("django_htmx",),
        middleware=("django_htmx.middleware.HtmxMiddleware",),
        templates={"sites/page.html": BOOSTED},
        link="nav a",
    ),
    Row("Turbo", templates={"sites/page.html": TURBO}, settings=_with_packages, link="main a"),
    Row("Unpoly", rarely=True, templates={"sites/page.html": UNPOLY}, settings=_with_packages, link="main a"),
    Row(
        "React, links in the page",
        rarely=True,
        templates={"sites/page.html": REACT},
        settings=_bundled,
        prepare="tests.sites.rows.pages.bundle_react",
        link="main a",
        polls_itself=True,
    ),
    Row(
        "Inertia with React, a page that polls",
        packages=("inertia-django",),
        apps=("inertia",),
        middleware=("inertia.middleware.InertiaMiddleware",),
        templates={"sites/inertia.html": INERTIA},
        settings=_inertia,
        urls=_inertia_urls,
        prepare="tests.sites.rows.pages.bundle_inertia",
        link="main a",
        polls_itself=True,
    ),
    Row(
        "django-debug-toolbar",
        packages=("django-debug-toolbar",),
        apps=("debug_toolbar",),
        settings=lambda plain: {
            "INTERNAL_IPS": ["127.0.0.1"],
            "MIDDLEWARE": ["debug_toolbar.middleware.DebugToolbarMiddleware", *plain["MIDDLEWARE"]],
            # It then asks the server after each request of the page's scripts.
            "DEBUG_TOOLBAR_CONFIG": {"UPDATE_ON_FETCH": True},
        },
        urls=_toolbar_urls,
    ),
    Row("Jinja2", packages=("jinja2",), settings=_jinja, urls=_jinja_urls),
    Row("WhiteNoise", packages=("whitenoise",), settings=_whitenoise),
]
