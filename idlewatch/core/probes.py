"""Probes: the sessions that `manage.py idlewatch doctor` begins to try a site, and ends again.

They are recognized by their watch ids, wherever those go: records, stores, the live page, logs.
"""

from __future__ import annotations

PROBE_PREFIX = "probe:"
"""How the watch id of a probe begins; the random ids of other sessions have no colon."""
PROBE_LIFETIME = 120.0
"""Seconds after which a probe ends, whatever happens: the absolute timeout among its facts."""
DOCTOR_USER_AGENT = "idlewatch-doctor"
"""The user agent of probes, by which operators find them."""


def is_probe(watch_id: str | None) -> bool:
    """Return whether a watch id is that of a probe; None, where there is no session, is not.

    >>> is_probe("probe:9Qw2"), is_probe("9Qw2")
    (True, False)
    """
    return watch_id is not None and watch_id.startswith(PROBE_PREFIX)
