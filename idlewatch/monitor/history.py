"""The memory store's samples, kept in the database: the store goes with its process, the last hour's chart stays."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q

from idlewatch.models import HistorySample
from idlewatch.store.base import Sample


def keep(sample: Sample, since: float) -> None:
    """Keep a sample, and forget those of before `since` (epoch seconds)."""
    # A later one is of a clock that was put right.
    HistorySample.objects.filter(Q(at__lt=since) | Q(at__gt=sample.at)).delete()
    HistorySample.objects.create(**sample._asdict())


def kept(since: float) -> Sequence[Sample]:
    """Return the samples from `since` on (epoch seconds), the oldest first."""
    rows = HistorySample.objects.filter(at__gte=since).order_by("at")
    return [Sample(*row) for row in rows.values_list(*Sample._fields)]
