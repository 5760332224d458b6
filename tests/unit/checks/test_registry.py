from __future__ import annotations

import re
from pathlib import Path

import idlewatch.checks
import idlewatch.conf


def test_ids_are_unique_and_each_is_written_once():
    packages = (idlewatch.checks, idlewatch.conf)
    sources = [path.read_text() for package in packages for path in Path(package.__file__).parent.glob("*.py")]
    ids = re.findall(r'(?:id="idlewatch\.|check=")([EWI]\d{3})"', "".join(sources))
    assert sorted(ids) == sorted(set(ids))
