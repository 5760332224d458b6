"""How findings are printed."""

from __future__ import annotations

import json

import pytest

from idlewatch.doctor import rendering
from idlewatch.doctor.findings import Outcome, Section, Trial, fault, ok, skipped, warning

GOOD = ok(Trial.HEALTH, "GET /healthz", "200 OK", "200")
BAD = fault(Trial.HANDSHAKE, "Handshake of a tab", "404 Not Found", "101", "The proxy passes on no upgrade.")
UNWISE = warning(Trial.REDIS_PERSISTENCE, "Persistence", "none", "appendonly", "Set appendonly.")
NOT_TRIED = skipped(Trial.TAB, "A tab", "give --user NAME", "a state frame")


def line(finding, width=None):
    return "".join(rendering.as_lines(finding, width))


class TestLines:
    def test_has_outcome_what_was_tried_what_came_what_was_expected_and_the_address_of_the_docs(self):
        assert line(GOOD) == (
            "ok       GET /healthz: 200 OK; expected: 200. "
            "https://github.com/idlewatch/idlewatch/blob/main/docs/doctor.md#healthz"
        )

    def test_puts_a_hint_below_in_one_line(self):
        first, hint = line(BAD).splitlines()
        assert first.startswith("fault    Handshake of a tab: 404 Not Found; expected: 101. https://")
        assert hint == "         The proxy passes on no upgrade."

    def test_wraps_both_to_the_width_of_a_terminal_and_breaks_no_address(self):
        long = fault(Trial.HANDSHAKE, "tried " * 20, "came " * 20, "expected " * 20, "hint " * 40)
        lines = line(long, 60).splitlines()
        assert all(len(each) < 60 or each.strip() == Trial.HANDSHAKE.url for each in lines)
        assert all(each.startswith(" " * 9) for each in lines[1:])
        assert Trial.HANDSHAKE.url in line(long, 60)
        assert " ".join(line(long, 60).split()) == " ".join(line(long).split())

    def test_wraps_nothing_where_no_words_would_fit(self):
        assert line(BAD, 10) == line(BAD)

    def test_shows_no_control_character_and_no_more_than_some_of_a_long_answer(self):
        answer = ok(Trial.HEALTH, "GET /healthz", "\x1b[2J\r\n\x07" + "x" * 10_000, "200")
        assert ": ?[2J ?xxx" in line(answer)
        assert len(line(answer)) < 1000

    def test_has_no_full_stop_before_the_semicolon(self):
        assert ": bad; expected: good. https" in line(ok(Trial.HEALTH, "GET /healthz", "bad.", "good."))


@pytest.mark.parametrize("section", Section)
def test_a_heading_begins_with_a_capital_letter(section):
    assert rendering.heading(section)[0].isupper()
    assert rendering.heading(section).lower() == section.value.lower()


class TestSummary:
    def summary(self, *findings):
        return "".join(rendering.summary(findings, 9.84, 0))

    def test_states_in_words_that_nothing_is_wrong(self):
        assert self.summary(GOOD) == "Nothing is wrong. 1 of 1 trial ok, in 9.8 s."

    def test_counts_what_was_sent(self):
        assert rendering.summary([GOOD], 9.84, 84)[1].endswith("in 9.8 s and 84 requests, handshakes included.")

    def test_names_faults_and_warnings_once_each_and_what_was_not_tried(self):
        assert self.summary(GOOD, BAD, BAD, UNWISE, NOT_TRIED) == (
            "2 faults: handshake. Fix the first, which may have caused the others, and run this again. "
            "1 warning: redis-persistence. 1 not tried; each line says why. 1 of 5 trials ok, in 9.8 s."
        )

    def test_one_fault_is_why_no_other_failed(self):
        assert self.summary(BAD) == "1 fault: handshake. Fix it, and run this again. 0 of 1 trial ok, in 9.8 s."

    def test_a_site_that_was_not_tried_is_not_called_right(self):
        untried = skipped(Trial.CHALLENGE, "Signed challenge", "no site answers", "a signed report")
        assert self.summary(GOOD, untried).startswith("Nothing is wrong here, but no site was tried: start it, or give")

    def test_is_wrapped_after_its_first_words(self):
        first, rest = rendering.summary([GOOD, BAD, BAD, UNWISE, NOT_TRIED], 9.84, 0, 50)
        assert first == "2 faults: handshake."
        assert all(len(each) < 50 for each in (first + rest).splitlines())
        assert len(rest.splitlines()) > 1


def test_json_has_every_field_and_the_counts():
    told = json.loads(rendering.as_json([GOOD, BAD, NOT_TRIED], 9.84, 84))
    assert (told["ok"], told["seconds"], told["requests"]) == (False, 9.8, 84)
    assert told["counts"] == {"ok": 1, "warning": 0, "fault": 1, "skipped": 1}
    assert told["findings"][1] == {
        "section": "proxy",
        "trial": "handshake",
        "outcome": "fault",
        "tried": "Handshake of a tab",
        "came": "404 Not Found",
        "expected": "101",
        "hint": "The proxy passes on no upgrade.",
        "docs": Trial.HANDSHAKE.url,
    }
    assert told["findings"][2]["came"] == "not tried: give --user NAME"


def test_only_a_fault_is_wrong():
    assert [rendering.has_faults([each]) for each in (GOOD, BAD, UNWISE, NOT_TRIED)] == [False, True, False, False]
    assert rendering.counts([]) == dict.fromkeys((each.value for each in Outcome), 0)
