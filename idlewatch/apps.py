"""The app `idlewatch`."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import pre_migrate
from django.utils.translation import gettext_lazy as _


class IdleWatchConfig(AppConfig):
    """Connects the receivers and registers the checks."""

    name = "idlewatch"
    verbose_name = _("Sessions")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import what takes effect by being imported."""
        from idlewatch import checks, receivers  # noqa: F401, PLC0415 - models must be loaded first
        from idlewatch.management.schema import refuse_outdated  # noqa: PLC0415
        from idlewatch.monitor import django_sessions  # noqa: PLC0415

        django_sessions.read_from_primary()
        pre_migrate.connect(refuse_outdated, sender=self, dispatch_uid="idlewatch.refuse_outdated")
