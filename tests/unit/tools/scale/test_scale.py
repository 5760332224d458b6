from __future__ import annotations

import pytest

from tests.tools.bench.options import OptionError
from tests.tools.bench.samples import Samples
from tests.tools.scale import goals
from tests.tools.scale.options import Options, options
from tests.tools.scale.report import Report
from tests.tools.scale.statements import _without_lists, without_values


def test_a_run_is_whole_by_default_and_smaller_where_it_is_asked_for():
    whole, small = options({}), options({"SESSIONS": "5000", "RECORDS": "0"})

    assert (whole.sessions, whole.active, whole.ends, whole.records) == (100_000, 20_000, 10_000, 10_000_000)
    assert whole.is_whole
    assert (small.active, small.ends, small.records, small.is_whole) == (1_000, 500, 0, False)


@pytest.mark.parametrize(("name", "value"), [("SESSIONS", "99"), ("SESSIONS", "many"), ("RECORDS", "-1")])
def test_a_bad_value_is_refused_by_name(name: str, value: str):
    with pytest.raises(OptionError, match=f"{name} is '{value}'; expected an integer from"):
        options({name: value})


def test_a_statement_is_one_whatever_the_number_of_its_parameters():
    assert _without_lists("a IN (%s, %s, %s)") == _without_lists("a IN (%s, %s)") == "a IN (%s, …)"


def test_the_page_has_each_goal_and_the_plan_of_each_query():
    samples = Samples()
    samples.add("processor time", goals.TWO_PROCESSES, 5_000, 15.5)
    queries = [
        {
            "sql": f'SELECT "a" FROM "{table}" WHERE x',
            "place": "p",
            "count": 3,
            "milliseconds": ms,
            "plan": f"of {table}",
        }
        for table, ms in (("quick", 0.25), ("slow", 6.5))
    ]
    page = Report(Options(5_000, 0), 3.0, {"Python": "3.11"}, samples, queries).page

    assert "| two processes | 5,000 | 15.5 % of a core (15.5 to 15.5) | ≤ 15 % of a core | ✗ |" in page
    assert all(work in page for work in goals.WORK.values())
    assert page.index("| 1 | p | SELECT slow WHERE x | 3 | 6.5 |") < page.index(
        "| 2 | p | SELECT quick WHERE x | 3 | 0.25 |"
    )
    assert page.index("of slow") < page.index("of quick")


def test_a_plan_is_published_without_the_values_in_it():
    plan = "Index Cond: ((session_key)::text = ANY ('{0ab1,2cd3}'::text[])) AND note = 'it''s' AND id > 7"
    assert without_values(plan) == "Index Cond: ((session_key)::text = ANY ('…'::text[])) AND note = '…' AND id > 7"
