"""The tag `{% idlewatch %}`: it renders the client for signed-in users, and the notice after an end."""

from __future__ import annotations

import json
from typing import Any

from django import template
from django.apps import apps
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.context import Context
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from idlewatch.conf import conf
from idlewatch.core.protocol import TAB_PATH, encode
from idlewatch.http.i18n import NOTICES, ui_context
from idlewatch.http.nonces import nonce_of
from idlewatch.http.page_tokens import token_of
from idlewatch.http.request_state import find_state, state_of
from idlewatch.http.sign_in import settle
from idlewatch.http.site_urls import below_script_name, client_url, login_url_with_next
from idlewatch.http.templates import render_template
from idlewatch.process import now

register = template.Library()

STRINGS: dict[str, str | Promise] = {
    # Translators: {time} is as on a clock: 1:58.
    "title": _("{time} left: are you still there?"),
    # Translators: {time} is in words, and stands on its own: 2 minutes, 30 seconds.
    "left": _("{time} left."),
    "signed_out": _("You have been signed out."),
    "offline": _("Offline"),
    "checking": _("One moment"),
    "form": _("Sending a form"),
    "media": _("Playing media"),
}
"""Texts that the client inserts itself; the others stand in the template."""


@register.simple_tag(takes_context=True)
def idlewatch(context: Context, *, notice: bool = True, script: bool = True) -> SafeString:
    """Render the client for a signed-in user, and once after an end the notice with its reason.

    Use it once, in the base template, inside `<body>`. With `notice=False`, the template itself shows
    `request.idlewatch.notice`; a notice that it has read before the tag is not repeated. With `script=False`, the
    page's own bundle contains and starts the client.

    A page that is rendered without a request, or for one that the middleware has not seen, has no session, and gets
    nothing: error pages are rendered so.
    """
    return render(_request_of(context), notice=notice, script=script)


@register.simple_tag(takes_context=True)
def idlewatch_nonce(context: Context) -> str:
    """Return the attribute `nonce` for a script or stylesheet; nothing if the request has no nonce."""
    request = _request_of(context)
    nonce = None if request is None else nonce_of(request)
    return "" if nonce is None else format_html(' nonce="{}"', nonce)


def render(request: HttpRequest | None, *, notice: bool = True, script: bool = True) -> SafeString:
    """Return what the tag renders, for templates of another engine than Django's."""
    state = find_state(request)
    if request is None or state is None:
        return SafeString()
    # A view may sign a user in over another one's session, and render a page at once.
    settle(request, None, now())
    state.vary_on_session()
    context = ui_context() | {"request": request}
    parts = []
    if notice and not state.page.notice and (sentence := state.notice):
        parts.append(render_template("idlewatch/notice.html", context | {"notice": sentence}, request))
    offer = state.admission.offer
    if offer is not None and not state.page.offer:
        state.page.offer = True
        if offer.has_other_sessions:
            parts.append(render_template("idlewatch/offer.html", context | {"offer": offer}, request))
    if state.watch_id is not None:
        state.page.client = True
        config = client_config(request)
        client = {"config": config, "config_json": json.dumps(config, cls=DjangoJSONEncoder), "script": script}
        parts.append(render_template("idlewatch/client.html", context | client, request))
    # Templates have escaped the parts where needed.
    return mark_safe("".join(parts))  # noqa: S308


def _request_of(context: Context) -> HttpRequest | None:
    """Return the request for which a template is rendered.

    Under the name `request` a view may pass something else, and an include with `only` has nothing.
    """
    request: HttpRequest | None = getattr(context, "request", None) or context.get("request")
    return request


def client_config(request: HttpRequest) -> dict[str, Any]:
    """Return the client's configuration for a page of a watched session."""
    watched = state_of(request).session.watched
    assert watched is not None, "a page without a session has no client"  # noqa: S101
    config: dict[str, Any] = {
        "socket": client_url(below_script_name(TAB_PATH)),
        "state": client_url(reverse("idlewatch:state")),
        "message": client_url(reverse("idlewatch:message")),
        "page": reverse("idlewatch:page"),
        "logout": reverse("idlewatch:logout"),
        "login": conf.login_url,
        "signIn": login_url_with_next(request, reverse("idlewatch:signed-in")),
        "reauthenticate": f"{reverse('idlewatch:reauthenticate')}?next={reverse('idlewatch:signed-in')}",
        "home": conf.home_url,
        "csrf": get_token(request),
        "csrfHeader": conf.csrf_header,
        "token": token_of(watched),
        "frame": json.loads(encode(state_of(request).frame)),
        **ui_context(),
        "strings": STRINGS | {f"reason_{reason}": sentence for reason, sentence in NOTICES.items()},
    }
    if apps.is_installed("idlewatch.drafts"):
        from idlewatch.drafts.client import add_drafts  # noqa: PLC0415 - an app that may not be installed

        add_drafts(config, request)
    return config
