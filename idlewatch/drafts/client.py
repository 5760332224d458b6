"""The data that the browser client needs for drafts."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from idlewatch.drafts.rejected_forms import REJECTED_KEY
from idlewatch.drafts.service import is_on_for

STRINGS: dict[str, str | Promise] = {
    "restored": _("What you had typed here was restored."),
    "not_sent": _("Your form was not sent, because you had been signed out. Restore what you typed?"),
    "put_back": _("Restore"),
    "discard": _("Discard"),
}
"""What the client displays about drafts."""


def add_drafts(config: dict[str, Any], request: HttpRequest) -> None:
    """Add what the client needs for drafts to the configuration of a page, where drafts are stored."""
    if is_on_for(request):
        config |= {
            "drafts": reverse("idlewatch:drafts"),
            "draftsScript": static("idlewatch/drafts.min.js"),
            "kept": REJECTED_KEY in request.session,
        }
        config["strings"] |= STRINGS
