from __future__ import annotations

from tests.tools.bench.goals import WORK
from tests.tools.bench.scenarios import SCENARIOS


def test_each_row_of_the_table_is_measured():
    assert {row for scenario in SCENARIOS for row in scenario.rows} == WORK.keys()
