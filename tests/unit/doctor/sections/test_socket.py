from __future__ import annotations

from types import SimpleNamespace

import pytest

from idlewatch.doctor.findings import Outcome, Trial
from idlewatch.doctor.sections import socket
from idlewatch.doctor.site import Options, Site


class TestForeignOrigins:
    def test_each_has_to_be_refused(self):
        assert socket.judge_foreign_origins([403, 403, 403]).outcome is Outcome.OK

    @pytest.mark.parametrize("accepted", range(3))
    def test_one_that_is_accepted_is_a_fault_that_names_the_danger(self, accepted: int):
        answers: list[int | str] = [403, 403, 403]
        answers[accepted] = 101
        found = socket.judge_foreign_origins(answers)
        assert found.outcome is Outcome.FAULT
        assert "101" in found.came
        assert "CSRF_TRUSTED_ORIGINS" in found.hint

    def test_so_is_any_other_answer(self):
        found = socket.judge_foreign_origins([403, 502, "no answer in time"])
        assert (found.outcome, found.came) == (Outcome.FAULT, "403, 502, no answer in time")
        assert "before the site" in found.hint


class TestAccount:
    def test_with_no_rights_is_fine(self):
        assert socket.judge_account(SimpleNamespace(is_staff=False)).outcome is Outcome.OK

    @pytest.mark.parametrize(
        ("rights", "named"),
        [
            ({"is_staff": True}, "is_staff"),
            ({"is_superuser": True}, "is_superuser"),
            ({"is_staff": True, "is_superuser": True}, "is_superuser and is_staff"),
        ],
    )
    def test_with_rights_is_unwise(self, rights: dict[str, bool], named: str):
        found = socket.judge_account(SimpleNamespace(**rights))
        assert (found.outcome, found.came) == (Outcome.WARNING, named)


def test_a_session_that_is_to_be_warned_and_to_end_is_quick_where_the_site_is():
    assert socket.short_limits(0.05) == (4.0, 2.0)


@pytest.mark.parametrize("delay", [0.5, 3.0, 10.0])
def test_it_is_not_warned_before_its_tabs_are_open_and_warned_for_longer_than_an_answer_takes(delay: float):
    idle_timeout, warn_before = socket.short_limits(delay)
    assert idle_timeout - warn_before > socket.TABS * delay
    assert warn_before > delay


@pytest.mark.django_db
def test_without_an_address_each_trial_says_why_it_is_skipped():
    site = Site(Options())
    found = list(socket.examine(site))
    site.close()
    expected = [trial for trial in Trial if trial.section.value == "socket"]
    assert sorted(each.trial for each in found) == sorted(expected)
    assert {each.outcome for each in found} == {Outcome.SKIPPED}
    assert all("--url" in each.came for each in found)
