"""Programs that measure in the place of a server, on the first core, and print what they find."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.support.serving import ROOT
from tests.tools.bench import machine
from tests.tools.bench.profiles import Profile
from tests.tools.bench.servers import Run, pinned


def run_program(run: Run, module: str, *words: str, **environ: str) -> None:
    """Run a program in the place of a server, and take the samples and profiles that it prints, one a line."""
    environment = {
        **run.sessions.environment(run.directory / "program.sqlite3"),
        "BENCH_REDIS_URL": run.redis.url,
        **({"BENCH_PROFILE": "1"} if run.options.profile else {}),
        **environ,
    }
    with run.redis.client() as client:
        client.flushall()
    done = subprocess.run(
        [*pinned(machine.SERVER_CORE), sys.executable, "-m", module, *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        printed = json.loads(line)
        if isinstance(printed, dict):
            run.profiles.add(Profile(**printed))
        else:
            run.samples.add(*printed)
    # What was measured before it failed stays.
    done.check_returncode()


def print_sample(figure: str, variant: str, size: int, value: float) -> None:
    """Print a sample, in such a program."""
    print(json.dumps([figure, variant, size, value]), flush=True)


def print_profile(profile: Profile) -> None:
    """Print a profile, in such a program."""
    print(json.dumps(vars(profile)), flush=True)
