"""What a run found, in words and figures: a page, and the plan of each query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.tools.bench.goals import Verdict, judge
from tests.tools.bench.report import figure_table, goal_table, machine_table, short
from tests.tools.bench.samples import Samples
from tests.tools.scale.goals import GOALS, UNITS, WORK
from tests.tools.scale.options import Options

INTRODUCTION = """# Many sessions on one machine

Two server processes, Redis and PostgreSQL on one machine, with {sessions:,} live sessions of as many users, {active:,}
of them active every fifteen seconds, beside {records:,} records of sessions that ended: `make scale` wrote this page.
Processor time is that of idlewatch's processes; that of Redis and of PostgreSQL stands beside it. {ends:,} sessions end
by the clock at one moment; the time runs from that moment until the last record has it. Then Redis is replaced by an
empty one, while a user after the other requests a page; an answer with 503 asks to retry in two seconds, since what
Redis has may be out of date. At the end a process with the memory store, in which {active:,} sessions changed, is
stopped by `SIGTERM`.

Every statement that the processes sent is below, with the time that the database takes to plan and execute it: of the
slowest ones that were sent, with their parameters, the slowest, as the median of three `EXPLAIN (ANALYZE, BUFFERS)`.
A search of the session history is left out: it reads every record that the filters leave, about a microsecond each."""


@dataclass(frozen=True)
class Report:
    """What a run found."""

    options: Options
    minutes: float
    machine: Mapping[str, str]
    samples: Samples
    queries: Sequence[Mapping[str, Any]]
    """What `statements.explained` returned."""

    @property
    def verdicts(self) -> list[Verdict]:
        return judge(self.samples, GOALS)

    @property
    def page(self) -> str:
        """The page in Markdown."""
        asked = self.options
        parts = [
            INTRODUCTION.format(sessions=asked.sessions, active=asked.active, records=asked.records, ends=asked.ends),
            f"It took {self.minutes:.0f} minutes.",
            goal_table(self.verdicts, WORK),
            figure_table(self.samples, UNITS),
            "## The machine",
            machine_table(self.machine),
            "## The queries",
            query_table(self.queries),
            *(_section(number, query) for number, query in enumerate(_by_time(self.queries), 1)),
        ]
        return "\n\n".join(parts) + "\n"


def query_table(queries: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of the queries, in Markdown, the slowest first."""
    lines = ["| | sent from | statement | times | ms |", "|--:|---|---|--:|--:|"]
    for number, query in enumerate(_by_time(queries), 1):
        cells = (str(number), query["place"], _excerpt(query["sql"]), str(query["count"]), short(query["milliseconds"]))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _by_time(queries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(queries, key=lambda query: -query["milliseconds"])


def _excerpt(sql: str) -> str:
    verb, _, rest = sql.partition(" ")
    _, _, table = rest.partition("FROM ") if verb == "SELECT" else ("", "", rest)
    return f"{verb} {table[:60]}".replace("|", r"\|").replace('"', "")


def _section(number: int, query: Mapping[str, Any]) -> str:
    return f"### {number}. {query['place']}\n\n```sql\n{query['sql']}\n```\n\n```\n{query['plan']}\n```"
