"""What anyone can ask, and what is asked again and again, is found by an index, also in a table without statistics."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex

import pytest

from tests.support.postgres_server import shared_postgres
from tests.support.query_cost import growing, measure


@pytest.mark.parametrize("vendor", ["postgresql", "sqlite3"])
def test_no_question_of_a_request_or_a_round_reads_more_among_many_records(vendor: str, tmp_path: Path):
    place = str(tmp_path / "db.sqlite3")
    if vendor == "postgresql":
        *_, place = shared_postgres().database(f"cost_{token_hex(4)}").split("@127.0.0.1:")
    costs = measure(f"{vendor}:{place}")
    assert costs["an unknown cookie"] == (0, 0)
    assert growing(costs) == {}
