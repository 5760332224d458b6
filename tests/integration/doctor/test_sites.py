"""The doctor finds nothing wrong with sites as they should be, and names what is broken in others, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from idlewatch.doctor.findings import Outcome, Trial
from tests.integration.doctor.breakage import Breakage
from tests.integration.doctor.runs import Runs
from tests.integration.doctor.table import BROKEN, RIGHT, right

BUSY = {Trial.REDIS_LATENCY}
"""What may be warned of on a machine that has much to do."""


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[Runs]:
    """The doctor's runs on all sites whose tests are selected."""
    with Runs(request) as runs:
        yield runs


@pytest.mark.parametrize("site", RIGHT, ids=lambda site: site.slug)
def test_nothing_is_wrong_with_a_right_site(site: Breakage, runs: Runs):
    found = runs.of(site)
    assert found.said(Outcome.FAULT) == {}, found.output
    assert found.said(Outcome.WARNING).keys() - BUSY == site.warnings.keys(), found.output
    assert found.exit_code == 0


@pytest.mark.parametrize("site", BROKEN, ids=lambda site: site.slug)
def test_what_was_broken_is_named_and_nothing_else(site: Breakage, runs: Runs):
    found = runs.of(site)
    for outcome, named in ((Outcome.FAULT, site.faults), (Outcome.WARNING, site.warnings)):
        came = found.said(outcome)
        for trial, words in named.items():
            assert words in came.get(trial, ""), f"{trial} does not name it:\n{found.output}"
    allowed = site.consequences | site.faults.keys() | BUSY
    assert found.said(Outcome.FAULT).keys() <= allowed, found.output
    assert found.said(Outcome.WARNING).keys() <= allowed | {*site.warnings, *right(site).warnings}, found.output
    assert found.exit_code == int(bool(site.faults))
