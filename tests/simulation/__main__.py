"""Run schedules: `python -m tests.simulation`.

It prints how many schedules ran, how many broke an invariant, and how often each event and fault occurred; for each
violation the seed and the shrunk story. Environment:

- `SCHEDULES`: how many; `WITHIN`: for how many seconds at most.
- `SEED`: the first; with it alone, that one schedule, told in full.
- `SERVERS`, `STORE`: only sites with so many processes, or with `redis` or `memory`.
- `FOCUS`: actions and faults, separated by spaces, which the stories are mostly about; see `stories`.
- `MUTANTS=1`: break the product in each way that `mutants` names, and show the seed that notices; or `MUTANTS=name`.
  Such a seed is told by `SEED` with the `SERVERS`, the `STORE` and the `FOCUS` that the mutant names.
- `WORKERS`: processes at once. `LOG=1`: show what the product logs.
"""

from __future__ import annotations

import sys

from tests.simulation.runs import main

if __name__ == "__main__":
    sys.exit(main())
