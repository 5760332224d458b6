"""The examples of `docs/testing.md`, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

from idlewatch.pytest_plugin import idlewatch  # noqa: F401 - the fixture, which an installed package brings by itself

PAGE = Path(__file__).resolve().parents[3] / "docs" / "testing.md"

for _number, _example in enumerate(re.findall(r"^```python\n(.+?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)):
    if "importorskip" not in _example:
        # The other is run where that package is installed, among the sites.
        exec(compile(_example, f"{PAGE.name}:{_number}", "exec"), globals())
