"""The app `idlewatch.drafts`."""

from __future__ import annotations

from django.apps import AppConfig


class DraftsConfig(AppConfig):
    """Has the timer delete old drafts, and sign-ins mark sessions of users with rejected forms."""

    name = "idlewatch.drafts"
    label = "idlewatch_drafts"
    verbose_name = "idlewatch drafts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the sweep, and what is done at each sign-in."""
        from idlewatch.drafts.rejected_forms import mark_session  # noqa: PLC0415 - models must be loaded first
        from idlewatch.drafts.service import sweep  # noqa: PLC0415
        from idlewatch.http.sign_in import after_sign_in  # noqa: PLC0415
        from idlewatch.runtime.timer import SWEEPS  # noqa: PLC0415

        # Django calls this again whenever a test changes `INSTALLED_APPS`.
        if sweep not in SWEEPS:
            SWEEPS.append(sweep)
        if mark_session not in after_sign_in:
            after_sign_in.append(mark_session)
