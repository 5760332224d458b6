"""The simulation: the same seed tells the same story, and each mutant finds what it is to break."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.simulation.mutants import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_changes_the_text_that_it_names(mutant: Mutant):
    assert mutant.source


def test_mutants_break_scripts_records_and_what_several_processes_do():
    counts = Counter[str]()
    for mutant in MUTANTS:
        counts["scripts"] += mutant.file.endswith(".lua")
        counts["records"] += mutant.file.startswith("monitor/")
        counts["processes"] += mutant.servers in {"2", "3"}
    assert len(MUTANTS) >= 25
    assert min(counts.values()) >= 5, counts


@pytest.mark.redis
@pytest.mark.parametrize(("store", "seed"), [("redis", 7), ("redis", 24), ("memory", 31)])
def test_the_same_seed_tells_the_same_story(store: str, seed: int):
    environment = {**os.environ, "STORE": store, "SEED": str(seed)}
    told = [
        subprocess.run(
            [sys.executable, "-m", "tests.simulation"],
            check=False,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
        for _ in range(2)
    ]
    assert "trace " in told[0]
    assert told[0] == told[1]
