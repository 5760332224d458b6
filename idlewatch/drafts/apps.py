"""The app `idlewatch.drafts`."""

from __future__ import annotations

from django.apps import AppConfig


class DraftsConfig(AppConfig):
    """Has the timer delete drafts that are too old."""

    name = "idlewatch.drafts"
    label = "idlewatch_drafts"
    verbose_name = "idlewatch drafts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the sweep."""
        from idlewatch.drafts.service import sweep  # noqa: PLC0415 - models must be loaded first
        from idlewatch.runtime.timer import SWEEPS  # noqa: PLC0415

        SWEEPS.append(sweep)
