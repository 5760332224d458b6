"""Packages by which operators act as another user: the visitor makes the whole journey as the victim."""

from __future__ import annotations

from typing import Any

from django.urls import include, path

from tests.sites.row import Row, SignIn
from tests.sites.rows.accounts import MODEL_BACKEND
from tests.sites.views import plain_urls

PAGE = """\
{{% extends "sites/base.html" %}}
{{% block content %}}<h1>Private</h1>
{{% if not {acting} %}}
<form method="post" action="{url}">{{% csrf_token %}}
<input type="hidden" name="user_pk" value="2"><input type="hidden" name="next" value="/"><button>Act</button></form>
{{% endif %}}{{% endblock %}}
"""


def add_victim() -> None:
    """Add the user whom the visitor impersonates."""
    from django.contrib.auth import get_user_model

    get_user_model().objects.create_user("victim", pk=2)


def _row(name: str, app: str, place: str, *, url: str, acting: str, **more: Any) -> Row:
    """Return the row of a package with its URLs at a place; `acting` is true in a template of the victim's pages."""
    package, _, _ = name.partition(",")
    return Row(
        name,
        packages=(package,),
        apps=(app,),
        templates={"sites/page.html": PAGE.format(url=url, acting=acting)},
        urls=lambda: [path(place, include(f"{app}.urls")), *plain_urls()],
        prepare="tests.sites.rows.impersonation.add_victim",
        sign_in=SignIn(then=({"user_pk": "2"},)),
        **more,
    )


ROWS = [
    _row(
        "django-hijack, impersonating",
        "hijack",
        "hijack/",
        url="/hijack/acquire/",
        acting="request.user.is_hijacked",
        middleware=("hijack.middleware.HijackUserMiddleware",),
    ),
    _row(
        "django-impersonate",
        "impersonate",
        "impersonate/",
        url="/impersonate/2/",
        acting="request.user.is_impersonate",
        middleware=("impersonate.middleware.ImpersonateMiddleware",),
    ),
    _row("django-loginas", "loginas", "admin/", url="/admin/login/user/2/", acting="request.session.loginas_from_user"),
    _row(
        "django-su",
        "django_su",
        "su/",
        url="/su/2/",
        acting="request.session.exit_users_pk",
        settings={"AUTHENTICATION_BACKENDS": [MODEL_BACKEND, "django_su.backends.SuBackend"]},
    ),
]
