from __future__ import annotations

import ast
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.checks import run_checks

import idlewatch.checks
from idlewatch.checks.registry import TAG
from idlewatch.conf.settings import KEYS, conf
from idlewatch.core.baselines import BASELINES

SETTINGS = (Path(__file__).resolve().parents[2] / "docs" / "settings.md").read_text()
SECTIONS = dict(re.findall(r"^### `([A-Z_]+)`\n\n(.+?)(?=^##|\Z)", SETTINGS, re.MULTILINE | re.DOTALL))
SOURCES = [path.read_text() for path in Path(idlewatch.checks.__file__).parent.glob("*.py")]
IDS = {identifier for source in SOURCES for identifier in re.findall(r"idlewatch\.[EW]\d{3}", source)}
UNLIKE_THEIR_KEYS = {"POLICY": "policy_callable"}


def _in_force() -> dict[str, object]:
    names = {UNLIKE_THEIR_KEYS.get(key, key.lower()) for key in KEYS}
    return {name: getattr(conf, name) for name in names if hasattr(type(conf), name)} | {"limits": conf.written}


def test_every_setting_is_documented_and_nothing_else():
    assert set(SECTIONS) == KEYS


@pytest.mark.parametrize("key", sorted(KEYS))
def test_documented_default_is_the_one_in_force(settings, key):
    settings.IDLEWATCH = {}
    expected = _in_force()
    default = re.match(r"Default `(.+?)`\. ", SECTIONS[key])
    assert default is not None
    settings.IDLEWATCH = {key: ast.literal_eval(default[1])}
    assert _in_force() == expected


def test_every_check_is_documented_and_nothing_else():
    assert sorted(re.findall(r"^\| `(idlewatch\.[EW]\d{3})` \|", SETTINGS, re.MULTILINE)) == sorted(IDS)


@pytest.mark.parametrize("key", sorted(KEYS))
def test_setting_names_checks_that_are_about_it(key):
    named = re.search(r"Checks: ([EW0-9,\s]+)\.", SECTIONS[key])
    assert named is not None
    for identifier in re.findall(r"[EW]\d{3}", named[1]):
        row = re.search(rf"^\| `idlewatch\.{identifier}` \| (.+) \|$", SETTINGS, re.MULTILINE)
        assert row is not None
        assert key in row[1] or "the limits" in row[1] or "a limit" in row[1] or "`BASELINE`" in row[1]


def test_every_baseline_is_documented_as_it_is():
    rows = re.findall(r'^\| `"([a-z0-9-]+)"` \| (\d+) (minutes|hour) \| (?:(\d+) hours)? ?\|', SETTINGS, re.MULTILINE)
    seconds = {"minutes": 60, "hour": 3600}
    documented = {
        name: (int(idle) * seconds[unit], int(hours) * 3600 if hours else None) for name, idle, unit, hours in rows
    }
    assert documented == {name: baseline[:2] for name, baseline in BASELINES.items()}


def test_example_passes_every_check(settings):
    source = re.search(r"^```python\nIDLEWATCH = (.+?)^```", SETTINGS, re.MULTILINE | re.DOTALL)
    assert source is not None
    settings.IDLEWATCH = eval(source[1], {"timedelta": timedelta})
    # Its baseline is met, too; what else a deployment lacks is the tests' site's own affair.
    assert run_checks(tags=[TAG], include_deployment_checks=True) == []


def test_every_fault_is_documented_and_nothing_else():
    tests = Path(__file__).resolve().parents[1] / "integration" / "faults"
    page = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
    assert set(re.findall(r"\| `(test_\w+\.py)` \|", page)) == {path.name for path in tests.glob("test_*.py")}
