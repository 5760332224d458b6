from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.serving import ROOT
from tests.tools.bench.goals import WORK
from tests.tools.bench.options import OptionError, options, require_writable


def test_a_run_is_full_and_has_all_rows_by_default():
    asked = options({})

    assert (asked.quick, asked.check, asked.tabs, asked.sizes) == (False, False, 10_000, (1_000, 5_000, 10_000))
    assert asked.profile
    assert asked.rows == WORK.keys()
    assert asked.is_whole


def test_a_quick_run_has_fewer_tabs():
    asked = options({"QUICK": "1", "CHECK": "1"})

    assert (asked.quick, asked.check, asked.profile, asked.sizes) == (True, True, False, (1_000,))
    assert asked.rows == WORK.keys()
    assert asked.is_whole


def test_rows_and_tabs_can_be_chosen():
    asked = options({"ROWS": "1, 7b", "TABS": "200"})

    assert (asked.rows, asked.sizes) == ({"1", "7b"}, (200,))
    assert not asked.is_whole


def test_profiles_can_be_asked_for_and_left_out():
    quick, full = options({"QUICK": "1", "PROFILE": "1"}), options({"PROFILE": "0"})

    assert (quick.profile, quick.is_whole) == (True, True)
    assert (full.profile, full.is_whole) == (False, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QUICK", "yes"),
        ("CHECK", "2"),
        ("PROFILE", "all"),
        ("ROWS", "1,99"),
        ("ROWS", ","),
        ("TABS", "0"),
        ("TABS", "many"),
        ("TABS", "99999999"),
    ],
)
def test_a_bad_value_is_refused_by_name_with_what_was_expected(name, value):
    with pytest.raises(OptionError, match=f"{name} .*{value.removeprefix('1,')}.*; expected "):
        options({name: value})


def test_a_bad_value_is_refused_before_there_is_an_environment_to_run_in():
    done = subprocess.run(
        [sys.executable, "-S", "-m", "tests.tools.bench.options"],
        cwd=ROOT,
        env={"QUICK": "yes"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stderr) == (2, "QUICK is 'yes'; expected 1, 0 or nothing.\n")


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path: Path):
    require_writable(tmp_path / "build" / "page.md")
    assert list((tmp_path / "build").iterdir()) == []

    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="file can't be made: File exists"):
        require_writable(tmp_path / "file" / "page.md")
