from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from idlewatch.core.baselines import BASELINES, Violation, clamped, violations
from idlewatch.core.policy import Policy

STRICT = Policy(idle_timeout=600, absolute_timeout=3600, hold_limit=300)
PCI, AAL2, AAL3 = BASELINES["pci-dss"], BASELINES["nist-aal2"], BASELINES["nist-aal3"]

seconds = st.floats(0.01, 1e7)
limits = st.builds(
    Policy,
    idle_timeout=seconds,
    absolute_timeout=st.none() | seconds,
    hold_limit=st.just(0.0) | seconds,
    close_grace=st.none() | seconds,
)


@pytest.mark.rule("R2")
@pytest.mark.parametrize(
    ("name", "inactivity", "absolute"),
    [("pci-dss", 15 * 60, None), ("nist-aal2", 3600, 24 * 3600), ("nist-aal3", 15 * 60, 12 * 3600)],
)
def test_baseline_is_what_the_standard_says(name, inactivity, absolute):
    assert BASELINES[name][:2] == (inactivity, absolute)
    assert clamped(STRICT, BASELINES[name]) == (STRICT, [])


@pytest.mark.parametrize(
    ("changes", "baseline", "expected"),
    [
        ({"idle_timeout": 901, "hold_limit": 0}, PCI, [Violation("idle_timeout", 901, 900)]),
        ({"idle_timeout": 900, "hold_limit": 0}, PCI, []),
        ({"idle_timeout": 3601, "hold_limit": 0}, AAL2, [Violation("idle_timeout", 3601, 3600)]),
        ({"hold_limit": 300}, PCI, []),
        ({"hold_limit": 301}, PCI, [Violation("hold_limit", 301, 300)]),
        ({"hold_limit": 3000.5}, AAL2, [Violation("hold_limit", 3000.5, 3000)]),
        (
            {"idle_timeout": 1000, "hold_limit": 10},
            AAL3,
            [Violation("idle_timeout", 1000, 900), Violation("hold_limit", 10, 0)],
        ),
        ({"absolute_timeout": None}, PCI, []),
        ({"absolute_timeout": None}, AAL2, [Violation("absolute_timeout", None, 86400)]),
        ({"absolute_timeout": 43201}, AAL3, [Violation("absolute_timeout", 43201, 43200)]),
        ({"absolute_timeout": 43200}, AAL3, []),
    ],
)
def test_violations_are_the_limits_that_are_looser(changes, baseline, expected):
    assert violations(replace(STRICT, **changes), baseline) == expected


@given(limits, st.sampled_from(list(BASELINES.values())))
def test_clamped_policy_meets_its_baseline_and_is_nowhere_looser_than_before(policy, baseline):
    strict, found = clamped(policy, baseline)
    assert violations(strict, baseline) == []
    assert {violation.limit for violation in found} == {
        name for name in policy.__struct_fields__ if getattr(policy, name) != getattr(strict, name)
    }
    assert strict.idle_timeout <= policy.idle_timeout
    assert strict.hold_limit <= policy.hold_limit
    # What two floats add up to may be off by their last digit.
    assert strict.idle_timeout + strict.hold_limit <= baseline.inactivity * (1 + 1e-12)
    if baseline.absolute is not None:
        assert strict.absolute_timeout is not None
        assert strict.absolute_timeout <= baseline.absolute
