"""The page about the sites names each row of tests/sites, and no other."""

from __future__ import annotations

import re

from tests.sites.report import PAGE
from tests.sites.rows import ROWS


def test_every_site_is_in_the_table_and_no_other():
    named = re.findall(r"^\| (?!site )([^|]+?)(?: \(fault \d+\))? \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(named) == sorted(row.name for row in ROWS)


def test_names_of_sites_are_unique():
    assert len({row.slug for row in ROWS}) == len(ROWS)
