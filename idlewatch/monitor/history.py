"""The memory store's samples, copied to the database so that the last hour's chart survives a restart."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q

from idlewatch.models import HistorySample
from idlewatch.store.values import Sample


def keep(sample: Sample, since: float) -> None:
    """Store a sample, and delete those from before `since` (epoch seconds)."""
    # A later sample was taken by a clock that was set back since.
    HistorySample.objects.filter(Q(at__lt=since) | Q(at__gt=sample.at)).delete()
    HistorySample.objects.create(**sample._asdict())


def kept(since: float) -> Sequence[Sample]:
    """Return the samples since `since` (epoch seconds), the oldest first."""
    rows = HistorySample.objects.filter(at__gte=since).order_by("at")
    return [Sample(*row) for row in rows.values_list(*Sample._fields)]
