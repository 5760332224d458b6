"""Run schedules: `python -m tests.simulation`.

It prints how many schedules ran, how many broke an invariant, and how often each event and fault occurred; for each
violation the seed and the shrunk story. Environment:

- `SCHEDULES`: how many (200); `WITHIN`: for how many seconds at most.
- `SEED`: the first (0); with it alone, that one schedule, told in full.
- `FOUND`: the seed of a story of `found`: tell that one in full.
- `SERVERS`, `STORE`: only sites with so many processes, or with `redis` or `memory`.
- `FOCUS`: names of `events`, separated by spaces, which the stories are mostly about.
- `MUTANTS=1`: break the product in each way that `mutants` names, and show the seed that notices; or `MUTANTS=name`.
  `SEED` tells such a seed without the mutant, with the `SERVERS`, the `STORE` and the `FOCUS` that the mutant names.
- `WORKERS`: processes at once (2). `LOG=1`: show what the product logs.

The exit status is 1 where an invariant was broken, and 2 where a variable has a value that cannot be used.
"""

from __future__ import annotations

import sys

from tests.simulation.runs import main

if __name__ == "__main__":
    sys.exit(main())
