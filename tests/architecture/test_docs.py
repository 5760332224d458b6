from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.checks import run_checks

import idlewatch.checks
from idlewatch.checks.registry import TAG
from idlewatch.conf.declaration import DOCUMENTATION
from idlewatch.conf.settings import SETTINGS
from idlewatch.core.baselines import BASELINES
from idlewatch.doctor.findings import Trial
from tests.tools import settings_docs

PAGE = settings_docs.PAGE.read_text()
SECTIONS = dict(re.findall(r"^### `([A-Z_]+)`\n\n(.+?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
SOURCES = [path.read_text() for path in Path(idlewatch.checks.__file__).parent.glob("*.py")]
IDS = {identifier for source in SOURCES for identifier in re.findall(r'id="(idlewatch\.[EWI]\d{3})"', source)}
ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = DOCUMENTATION.removesuffix("/docs")
LINK = re.compile(r"\](?:\(|: )(?![a-z]+:)([^)#\s]*)#?([^)\s]*)")
LINK_OF_A_MESSAGE = re.compile(r"DOCUMENTATION\}/([\w-]+\.md)#?([\w-]*)")


def test_table_of_settings_is_that_of_the_code():
    table = settings_docs.TABLE.search(PAGE)
    assert table is not None
    assert table[0] == settings_docs.table(), "Write it again by: python -m tests.tools.settings_docs"


def test_every_setting_has_a_section_in_the_order_of_the_table():
    assert list(SECTIONS) == list(SETTINGS)


def test_every_other_check_is_documented_and_nothing_else():
    assert sorted(re.findall(r"^\| `(idlewatch\.[EWI]\d{3})` \|", PAGE, re.MULTILINE)) == sorted(IDS)


@pytest.mark.parametrize("key", SECTIONS)
def test_section_names_checks_that_are_about_its_setting(key):
    named = re.search(r"More checks: ([EW0-9,\s]+)\.", SECTIONS[key])
    for identifier in re.findall(r"[EWI]\d{3}", named[1] if named else ""):
        row = re.search(rf"^\| `idlewatch\.{identifier}` \| (.+) \|$", PAGE, re.MULTILINE)
        assert row is not None
        assert key in row[1] or "the limits" in row[1] or "a limit" in row[1] or "`BASELINE`" in row[1]


def test_every_baseline_is_documented_as_it_is():
    rows = re.findall(r'^\| `"([a-z0-9-]+)"` \| (\d+) (minutes|hour) \| (?:(\d+) hours)? ?\|', PAGE, re.MULTILINE)
    seconds = {"minutes": 60, "hour": 3600}
    documented = {
        name: (int(idle) * seconds[unit], int(hours) * 3600 if hours else None) for name, idle, unit, hours in rows
    }
    assert documented == {name: baseline[:2] for name, baseline in BASELINES.items()}


def test_example_passes_every_check(settings):
    source = re.search(r"^IDLEWATCH = (.+?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert source is not None
    settings.IDLEWATCH = eval(source[1], {"timedelta": timedelta})
    # Its baseline is met, too. It has no store, so it is for one process.
    found = run_checks(tags=[TAG], include_deployment_checks=True)
    assert [message.id for message in found] == ["idlewatch.W034"]


def test_every_fault_is_documented_and_nothing_else():
    tests = Path(__file__).resolve().parents[1] / "integration" / "faults"
    page = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
    assert set(re.findall(r"\| `(test_\w+\.py)` \|", page)) == {path.name for path in tests.glob("test_*.py")}


def test_every_trial_of_the_doctor_has_one_entry_in_its_section_and_nothing_else_has():
    page = (ROOT / "docs" / "doctor.md").read_text()
    sections = re.findall(r"^## Trials: (.+?)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    documented = [
        (entry, section) for section, text in sections for entry in re.findall(r"^### (.+)$", text, re.MULTILINE)
    ]
    assert documented == [(trial.value, trial.section.value) for trial in Trial]
    assert len(re.findall(r"^### ", page, re.MULTILINE)) == len(documented)


def test_every_link_leads_to_a_file_and_to_one_of_its_sections():
    links = [
        (page, page.parent / target if target else page, section)
        for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
        for target, section in LINK.findall(page.read_text().replace(f"{REPOSITORY}/", f"{ROOT}/"))
    ] + [
        (source, ROOT / "docs" / target, section)
        for source in ROOT.glob("idlewatch/**/*.py")
        for target, section in LINK_OF_A_MESSAGE.findall(source.read_text())
    ]
    assert [
        f"{page.relative_to(ROOT)}: {target.name}#{section}"
        for page, target, section in links
        if not target.exists() or (section and section not in sections_of(target))
    ] == []


def sections_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    titles = [title.lower() for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}
