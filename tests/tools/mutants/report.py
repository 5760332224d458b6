"""What came of the mutants, for people."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence


def report(results: Sequence[Mapping[str, object]]) -> str:
    """Return a summary in Markdown: counts by group and operator, and the mutants that no test noticed."""
    lines = [f"# {len(results)} mutants", "", _share(results), ""]
    for title, field in (("Group", "group"), ("Operator", "operator")):
        lines += [f"| {title} | killed | timed out | survived | not covered |", "|---|---|---|---|---|"]
        for value in sorted({str(each[field]) for each in results}):
            counts = Counter(str(each["outcome"]) for each in results if each[field] == value)
            cells = (counts[outcome] for outcome in ("killed", "timeout", "survived", "not covered"))
            lines.append(f"| {value} | {' | '.join(map(str, cells))} |")
        lines.append("")
    lines += ["## Not noticed", "", "In brackets: how many of the covering tests were run.", ""]
    for each in sorted(results, key=lambda each: (str(each["path"]), str(each["line"]).zfill(5))):
        if each["outcome"] in {"survived", "not covered"}:
            change = f"`{shortened(each['before'])}` → `{shortened(each['after'])}`"
            ran = f"{each['ran']} of {each['covering']}" if each["covering"] else "not covered"
            lines.append(f"- `{each['path']}:{each['line']}` {each['operator']}: {change} ({ran})")
    flaky = results[-1]["flaky"] if results else []
    assert isinstance(flaky, list)
    lines += ["", f"Tests left out, for they fail without a mutant too: {', '.join(flaky) or 'none'}", ""]
    return "\n".join(lines)


def _share(results: Sequence[Mapping[str, object]]) -> str:
    counts = Counter(str(each["outcome"]) for each in results)
    noticed, total = counts["killed"] + counts["timeout"], max(len(results), 1)
    # Wilson's interval.
    z, share = 1.96, noticed / total
    middle, width = (
        share + z * z / (2 * total),
        z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)),
    )
    low, high = ((middle + sign * width) / (1 + z * z / total) for sign in (-1, 1))
    killed = f"{counts['killed']} killed, {counts['timeout']} timed out, {counts['survived']} survived"
    return f"{killed}, {counts['not covered']} not covered: noticed {share:.0%} (95%: {low:.0%} to {high:.0%})."


def shortened(text: object, most: int = 100) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
