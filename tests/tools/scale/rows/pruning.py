"""Records that are too old, which the processes have deleted since they were started."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from idlewatch.models import WatchedSession
from tests.tools.scale import goals
from tests.tools.scale.database import RETENTION_DAYS
from tests.tools.scale.site import Site


def measure(site: Site) -> None:
    """Count those that are left."""
    before = timezone.now() - timedelta(days=RETENTION_DAYS)
    site.add("left", goals.TWO_PROCESSES, WatchedSession.objects.ended().filter(ended__lt=before).count())
