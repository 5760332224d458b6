"""The limits of published standards, and how a policy compares with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from idlewatch.core.policy import Policy


class Baseline(NamedTuple):
    """The longest, in seconds, that a standard allows a session to last."""

    inactivity: float
    """Without activity by the user; a hold counts as inactivity."""
    absolute: float | None
    """Whatever the activity; None if the standard sets no such limit."""
    source: str
    """The section of the standard."""


BASELINES: Mapping[str, Baseline] = {
    "pci-dss": Baseline(900.0, None, "PCI DSS 4.0.1, requirement 8.2.8"),
    "nist-aal2": Baseline(3600.0, 86400.0, "NIST SP 800-63B-4, AAL2"),
    "nist-aal3": Baseline(900.0, 43200.0, "NIST SP 800-63B-4, AAL3"),
}


class Violation(NamedTuple):
    """One limit that is looser than a baseline."""

    limit: str
    """The field of the policy."""
    value: float | None
    """What the policy has, in seconds; None: no limit."""
    most: float
    """The most that the baseline allows beside the policy's other limits, in seconds."""


def violations(policy: Policy, baseline: Baseline) -> Sequence[Violation]:
    """Return the limits that are looser than a baseline; empty if the policy meets it."""
    looser = []
    if policy.idle_timeout > baseline.inactivity:
        looser.append(Violation("idle_timeout", policy.idle_timeout, baseline.inactivity))
    # A page can hold its session while its user is away: the session lasts for the hold and the idle timeout after it.
    hold = max(0.0, baseline.inactivity - policy.idle_timeout)
    if policy.hold_limit > hold:
        looser.append(Violation("hold_limit", policy.hold_limit, hold))
    if baseline.absolute is not None and (
        policy.absolute_timeout is None or policy.absolute_timeout > baseline.absolute
    ):
        looser.append(Violation("absolute_timeout", policy.absolute_timeout, baseline.absolute))
    return looser


def clamped(policy: Policy, baseline: Baseline) -> tuple[Policy, Sequence[Violation]]:
    """Return the policy with each limit that is looser than a baseline set to the most it allows, and those limits."""
    looser = violations(policy, baseline)
    return replace(policy, **{violation.limit: violation.most for violation in looser}), looser
