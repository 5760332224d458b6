"""The notice for each reason, and the language and direction of idlewatch's own texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import get_supported_language_variant, pgettext
from django.utils.translation import gettext_lazy as _

from idlewatch.core.activity import Reason

NOTICES: Mapping[Reason, str | Promise] = {
    Reason.IDLE: _("You have been signed out because of inactivity."),
    Reason.ABSOLUTE: _("You have been signed out because your session reached its time limit."),
    Reason.CLOSED: _("You have been signed out because the browser was closed."),
    Reason.LOGOUT: _("You have signed out."),
    Reason.REVOKED: _("You have been signed out because your session was revoked."),
    Reason.REPLACED: _("You have been signed out because you signed in on another device."),
    Reason.ACCOUNT: _("You have been signed out because your account or its password changed."),
    Reason.LOST: _("You have been signed out because your session is no longer available."),
}


def ui_language() -> str:
    """Return the language tag of idlewatch's own texts in this request, for the attribute `lang`.

    It differs from the page's language if that has no catalogue: a Swedish page gets English texts, and then times and
    announcements for screen readers must be English, too (WCAG 3.1.2).
    """
    # Translators: the code of your own language as in HTML, such as de or pt-BR.
    return pgettext("code of this catalogue's language", "en")


def supported_language(language: str) -> str:
    """Return the best match for a language among those of the site; `LANGUAGE_CODE` if none matches."""
    try:
        return get_supported_language_variant(language)
    except LookupError:
        return str(settings.LANGUAGE_CODE)


def ui_direction() -> str:
    """Return the direction of `ui_language`, for the attribute `dir`."""
    return "rtl" if ui_language().partition("-")[0] in settings.LANGUAGES_BIDI else "ltr"


def ui_context() -> dict[str, Any]:
    """Return both, as templates expect them."""
    return {"language": ui_language(), "direction": ui_direction()}
