"""The examples of `docs/testing.md`, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

from idlewatch.testing.plugin import idlewatch  # noqa: F401 - the fixture, which an installed package brings by itself

PAGE = Path(__file__).resolve().parents[3] / "docs" / "testing.md"

for _number, _example in enumerate(re.findall(r"^```python\n(.+?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)):
    # freezegun is not among the packages that the tests need.
    if "freezegun" not in _example:
        exec(compile(_example, f"{PAGE.name}:{_number}", "exec"), globals())
