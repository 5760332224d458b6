"""One sentence a reason: what the user is told after an end."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from idlewatch.activity import Reason

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
