"""What Django needs to know of the app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IdleWatchConfig(AppConfig):
    """Connects the receivers and registers the checks."""

    name = "idlewatch"
    verbose_name = _("Sessions")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make what is decided by import take effect."""
        from idlewatch import checks, receivers  # noqa: F401, PLC0415 - models must be there first
        from idlewatch.drafts.service import sweep  # noqa: PLC0415
        from idlewatch.runtime.timer import SWEEPS  # noqa: PLC0415

        SWEEPS.append(sweep)
