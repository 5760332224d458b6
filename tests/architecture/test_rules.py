"""Every rule of the trade is on the security page, with the tests that show it."""

from __future__ import annotations

import re

from tests.support.rules import HEADING, PAGE, shown, written

TABLE, _, LIST = PAGE.read_text().partition(HEADING)
ROWS = dict(re.findall(r"^\| (R\d+) \|.*\| (.*?) \|$", TABLE, re.MULTILINE))


def test_the_page_lists_each_rule():
    assert list(ROWS) == [f"R{number}" for number in range(1, 43)]


def test_each_rule_is_shown_by_a_test_or_said_to_be_missing():
    assert {rule for rule, how in ROWS.items() if "to come" not in how} <= set(shown())


def test_no_test_shows_a_rule_that_is_not_there():
    assert set(shown()) <= set(ROWS)


def test_the_page_names_the_tests_that_there_are():
    assert written() == LIST, "run `python -m tests.support.rules`"
