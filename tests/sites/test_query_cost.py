"""What anyone can ask, and what is asked again and again, is found by an index with MariaDB, too."""

from __future__ import annotations

import pytest

from tests.sites.mariadb import database
from tests.support.query_cost import growing, measure


@pytest.mark.packages
def test_no_question_of_a_request_or_a_round_reads_more_among_many_records() -> None:
    with database() as port:
        assert growing(measure(f"mysql:{port}/site")) == {}
