"""The limits in force, in words."""

from __future__ import annotations

from idlewatch.conf import conf

UNITS = (("hour", 3600), ("minute", 60), ("second", 1))


def duration(seconds: float) -> str:
    """Return a number of seconds in words, like “1 minute 30 seconds”."""
    words = []
    left = round(seconds)
    for unit, length in UNITS:
        count, left = divmod(left, length)
        if count:
            words.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " ".join(words) or f"{seconds:g} seconds"


def limits() -> dict[str, str]:
    """Return each limit in words, or an empty string where there is none."""
    policy = conf.policy
    return {
        "idle": duration(policy.idle_timeout),
        "warning": duration(policy.warn_before),
        "absolute": "" if policy.absolute_timeout is None else duration(policy.absolute_timeout),
        "grace": "" if policy.close_grace is None else duration(policy.close_grace),
        "hold": duration(policy.hold_limit) if policy.hold_limit else "",
    }
