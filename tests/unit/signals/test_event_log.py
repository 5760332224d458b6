from __future__ import annotations

import logging
import shlex
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idlewatch.core.activity import Reason
from idlewatch.signals import event_log
from tests.conftest import START


def split(line: str) -> tuple[str, dict[str, str]]:
    """Read a line of logfmt, as a log shipper does."""
    event, *fields = shlex.split(line)
    return event, dict(field.split("=", 1) for field in fields)


class TestLine:
    def test_it_is_the_event_and_its_fields(self):
        at = datetime(2026, 11, 23, 20, 0, tzinfo=timezone(timedelta(hours=1)))
        line = event_log.format_line("session_ended", watch_id="Jx0_-3", user="42", reason=Reason.IDLE, by=None, at=at)
        assert line == "session_ended watch_id=Jx0_-3 user=42 reason=idle by=- at=2026-11-23T19:00:00Z"

    @pytest.mark.parametrize(
        ("value", "written"),
        [
            (None, "-"),
            ("-", '"-"'),
            ("", '""'),
            ("two words", '"two words"'),
            ('say "no"', r'"say \"no\""'),
            ("a=b", '"a=b"'),
            ("C:\\x", r'"C:\\x"'),
            ("Zoë", '"Zoë"'),
            (3, "3"),
            (0.5, "0.5"),
            (True, "true"),
        ],
    )
    def test_a_value_is_quoted_where_it_could_be_taken_for_something_else(self, value: Any, written: str):
        assert event_log.format_line("e", field=value) == f"e field={written}"

    @pytest.mark.parametrize("forged", ["\n", "\r\n", "\x85", "\u2028", "\x1b[31m", "\u202e", "\x00"])
    def test_no_value_begins_a_line_or_turns_its_writing_round(self, forged: str):
        line = event_log.format_line("e", field=f"x{forged}session_ended by=-")
        assert line.isprintable()
        assert len(line.splitlines()) == 1

    @given(st.dictionaries(st.sampled_from(["watch_id", "user", "label"]), st.text() | st.none(), min_size=1))
    def test_it_can_be_read_whatever_is_in_it(self, fields: dict[str, str | None]):
        event, found = split(event_log.format_line("e", **fields))
        assert event == "e"
        assert list(found) == list(fields)
        assert event_log.format_line("e", **fields).isprintable()


class TestLogEvent:
    @pytest.mark.rule("R28")
    def test_a_formatter_finds_each_field(self, caplog: pytest.LogCaptureFixture):
        caplog.set_level(logging.INFO, "idlewatch")
        at = datetime.fromtimestamp(START, tz=timezone.utc)  # noqa: UP017
        event_log.log_event("session_ended", watch_id="w1", reason=Reason.IDLE, by=None, at=at)
        (record,) = caplog.records
        assert (record.name, record.levelno) == ("idlewatch", logging.INFO)
        found: dict[str, Any] = vars(record)
        assert {name: found[name] for name in ("event", "watch_id", "reason", "by", "at")} == {
            "event": "session_ended",
            "watch_id": "w1",
            "reason": "idle",
            "by": None,
            "at": "2030-03-17T17:46:40Z",
        }
        assert record.getMessage() == "session_ended watch_id=w1 reason=idle by=- at=2030-03-17T17:46:40Z"

    def test_what_happens_to_a_probe_says_so(self, caplog: pytest.LogCaptureFixture):
        caplog.set_level(logging.INFO, "idlewatch")
        event_log.log_event("session_ended", watch_id="probe:9Qw2", reason=Reason.IDLE)
        (record,) = caplog.records
        assert record.getMessage() == "session_ended watch_id=probe:9Qw2 reason=idle probe=true"
        assert vars(record)["probe"] is True

    def test_what_was_refused_is_a_warning_of_where_it_was_logged(self, caplog: pytest.LogCaptureFixture):
        event_log.log_event("metrics_refused", level=logging.WARNING, why="no token")
        (record,) = caplog.records
        assert (record.levelname, record.getMessage()) == ("WARNING", 'metrics_refused why="no token"')
        assert record.filename == "test_event_log.py"

    def test_what_the_project_does_not_log_costs_no_record(self, caplog: pytest.LogCaptureFixture):
        caplog.set_level(logging.WARNING, "idlewatch")
        event_log.log_event("session_ended", watch_id="w1")
        event_log.log_event("metrics_refused", level=logging.WARNING)
        assert caplog.messages == ["metrics_refused"]
