"""The tests' site; each end that is announced leaves a line in the log of the process that announced it."""

from __future__ import annotations

import sys
from typing import Any

from django.dispatch import receiver

from idlewatch.signals import session_ended
from tests.integration.server.urls import urlpatterns

__all__ = ["urlpatterns"]


@receiver(session_ended, dispatch_uid="tests.integration.faults")
def tell(watch_id: str, reason: str, **_: Any) -> None:
    # In one piece: several threads tell.
    sys.stderr.write(f"announced {watch_id} {reason}\n")
