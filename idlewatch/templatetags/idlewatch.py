"""The tag `{% idlewatch %}`: the client in each page of a signed-in user, the reason of an end for everybody else."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from django import template
from django.apps import apps
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.context import Context
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from idlewatch.conf import conf
from idlewatch.core.protocol import TAB_PATH, encode
from idlewatch.http.i18n import NOTICES, direction_of_words, language_of_words
from idlewatch.http.page_tokens import token_of
from idlewatch.http.request_state import state_of

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
"""What the client says by itself, `{time}` being a time; the rest of its words stand in the template."""


@register.simple_tag(takes_context=True)
def idlewatch(context: Context, *, notice: bool = True, script: bool = True) -> SafeString:
    """Render the client for a signed-in user, and the reason of an end, once.

    To stand once in the base template, inside `<body>`. With `notice=False` the reason is left to the template, which
    finds it in `request.idlewatch.notice`; where a template has placed it before the tag, the tag does not repeat it.
    With `script=False` the page's own bundle brings the client, and starts it.

    Raises:
        ImproperlyConfigured: the context has no request, or the request did not pass the middleware.
    """
    request = _request(context)
    state = state_of(request)
    parts = []
    if notice and not state.page.notice and (sentence := state.notice):
        said = {"notice": sentence, "language": language_of_words(), "direction": direction_of_words()}
        parts.append(render_to_string("idlewatch/notice.html", said, request))
    offer = state.admission.offer
    if offer is not None and not state.page.offer:
        state.page.offer = True
        if offer.is_worth_a_word:
            offered = {"offer": offer, "language": language_of_words(), "direction": direction_of_words()}
            parts.append(render_to_string("idlewatch/offer.html", offered, request))
    if state.session.watch_id is not None:
        state.page.client = True
        config = client_config(request)
        written = {"config": config, "config_json": json.dumps(config, cls=DjangoJSONEncoder), "script": script}
        parts.append(render_to_string("idlewatch/client.html", written, request))
    # The parts are templates' output, escaped where it had to be.
    return mark_safe("".join(parts))  # noqa: S308


def client_config(request: HttpRequest) -> dict[str, Any]:
    """Return what the client in a page of a watched session has to know."""
    watched = state_of(request).session.watched
    assert watched is not None, "a page without a session has no client"  # noqa: S101
    config: dict[str, Any] = {
        "socket": TAB_PATH,
        "state": reverse("idlewatch:state"),
        "message": reverse("idlewatch:message"),
        "page": reverse("idlewatch:page"),
        "logout": reverse("idlewatch:logout"),
        "login": conf.login_url,
        "signIn": _sign_in_again(request),
        "home": conf.home_url,
        "csrf": get_token(request),
        "token": token_of(watched),
        "frame": json.loads(encode(state_of(request).frame)),
        "language": language_of_words(),
        "direction": direction_of_words(),
        "strings": STRINGS | {f"reason_{reason}": sentence for reason, sentence in NOTICES.items()},
    }
    if apps.is_installed("idlewatch.drafts"):
        from idlewatch.drafts.client import add_drafts  # noqa: PLC0415 - an app that may not be installed

        add_drafts(config, request)
    return config


def _sign_in_again(request: HttpRequest) -> str:
    """Return where a small window signs in: it leads to the page that tells the other tabs."""
    after = reverse("idlewatch:signed-in")
    if urlsplit(conf.login_url).netloc:
        after = request.build_absolute_uri(after)
    return redirect_to_login(after, conf.login_url).url


def _request(context: Context) -> HttpRequest:
    request = context.get("request")
    if request is None:
        raise ImproperlyConfigured(
            "{% idlewatch %} found no request in the template's context; expected the context processor "
            "'django.template.context_processors.request' in TEMPLATES, and a template rendered with a request."
        )
    return request  # type: ignore[no-any-return]
