"""What users read: one sentence a reason, and the language and direction of the app's own words."""

from __future__ import annotations

from collections.abc import Mapping

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
    Reason.REVOKED: _("You have been signed out because this session was ended from elsewhere."),
    Reason.REPLACED: _("You have been signed out because you signed in on another device."),
    Reason.ACCOUNT: _("You have been signed out because your account or its password changed."),
    Reason.LOST: _("You have been signed out because your session is no longer available."),
}


def language_of_words() -> str:
    """Return the code of the language that the app speaks in this request, as in HTML.

    It is not the page's own where that has no catalogue: a Swedish page gets English words, and then times and what
    screen readers are told have to be English, too (WCAG 3.1.2).
    """
    # Translators: the code of your own language as in HTML, such as de or pt-BR.
    return pgettext("code of this catalogue's language", "en")


def supported(language: str) -> str:
    """Return the language of the site that is the nearest to this one; that of the settings where none is near."""
    try:
        return get_supported_language_variant(language)
    except LookupError:
        return str(settings.LANGUAGE_CODE)


def direction_of_words() -> str:
    """Return the direction in which that language is written, as in HTML."""
    return "rtl" if language_of_words().partition("-")[0] in settings.LANGUAGES_BIDI else "ltr"
