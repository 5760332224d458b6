"""The tag `{% idlewatch %}`: the client in each page of a signed-in user, the reason of an end for everybody else."""

from __future__ import annotations

import json
from typing import Any

from django import template
from django.core.exceptions import ImproperlyConfigured
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.context import Context
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from idlewatch.conf import conf
from idlewatch.notices import NOTICES
from idlewatch.protocol import TAB_PATH, encode
from idlewatch.watching import watch_of

register = template.Library()

STRINGS: dict[str, str | Promise] = {
    "title": _("{time} left: are you still there?"),
    "left": _("{time} left."),
    "signed_out": _("You have been signed out."),
    "offline": _("Offline"),
    "checking": _("One moment"),
    "form": _("Sending a form"),
    "media": _("Playing media"),
}
"""What the client says by itself, `{time}` being a time; the rest of its words stand in the template."""


@register.simple_tag(takes_context=True)
def idlewatch(context: Context, *, notice: bool = True) -> SafeString:
    """Render the client for a signed-in user, and the reason of an end, once.

    To stand once in the base template, inside `<body>`. With `notice=False` the reason is left to the template, which
    finds it in `request.idlewatch.notice`; where a template has placed it before the tag, the tag does not repeat it.

    Raises:
        ImproperlyConfigured: the context has no request, or the request did not pass the middleware.
    """
    request = _request(context)
    watch = watch_of(request)
    parts = []
    if notice and not watch.notice_shown and (sentence := watch.notice):
        parts.append(render_to_string("idlewatch/notice.html", {"notice": sentence}, request))
    if watch.watch is not None:
        watch.carry()
        config = client_config(request)
        written = {"config": config, "config_json": json.dumps(config, cls=DjangoJSONEncoder)}
        parts.append(render_to_string("idlewatch/client.html", written, request))
    # The parts are templates' output, escaped where it had to be.
    return mark_safe("".join(parts))  # noqa: S308


def client_config(request: HttpRequest) -> dict[str, Any]:
    """Return what the client in a page has to know."""
    return {
        "socket": TAB_PATH,
        "state": reverse("idlewatch:state"),
        "message": reverse("idlewatch:message"),
        "logout": reverse("idlewatch:logout"),
        "login": conf.login_url,
        "csrf": get_token(request),
        "user": _opaque(request),
        "frame": json.loads(encode(watch_of(request).frame)),
        "strings": STRINGS | {f"reason_{reason}": sentence for reason, sentence in NOTICES.items()},
    }


def _opaque(request: HttpRequest) -> str:
    """Tell users apart without saying who they are: a page kept for its input comes back to its own user alone."""
    return salted_hmac("idlewatch.user", str(request.user.pk), algorithm="sha256").hexdigest()[:32]


def _request(context: Context) -> HttpRequest:
    request = context.get("request")
    if request is None:
        raise ImproperlyConfigured(
            "{% idlewatch %} found no request in the template's context; expected the context processor "
            "'django.template.context_processors.request' in TEMPLATES, and a template rendered with a request."
        )
    return request  # type: ignore[no-any-return]
