"""Stories in which an invariant was broken once, or seemed to be, as they were shrunk.

They run before those that are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from idlewatch.core.policy import Policy, fitted
from tests.simulation.stories import Fault, Setup, Step, Story


def _setup(**more: Any) -> Setup:
    usual: dict[str, Any] = {
        "servers": 1,
        "store": "redis",
        "engine": "db",
        "atomic": False,
        "limits": _limits(),
        "max_sessions": None,
        "skewed": False,
    }
    return Setup(**usual | more)


def _limits(**more: Any) -> Policy:
    usual: dict[str, Any] = {
        "idle_timeout": 15.0,
        "warn_before": 4.0,
        "absolute_timeout": 300.0,
        "close_grace": 3.0,
        "hold_limit": 20.0,
        "heartbeat": 1.0,
        "checkpoint": 1.0,
    }
    return fitted(Policy(**usual | more))


def _step(action: str, wait: float, near: str | None = None, **args: Any) -> Step:
    return Step(action, wait, near, args)


FOUND: Mapping[str, Sequence[Story]] = {
    "the simulation took a warning that came after the end, and showed no time left, for a promise": [
        Story(
            4,
            _setup(
                servers=3,
                max_sessions=2,
                limits=_limits(
                    idle_timeout=12.0,
                    warn_before=2.0,
                    absolute_timeout=25.0,
                    hold_limit=8.0,
                    heartbeat=2.0,
                    activity_extends_warning=True,
                ),
            ),
            {
                "b0": (
                    "bob",
                    (
                        _step("sign_in", 1.6501630301980843),
                        _step("open", -1.142124231964417, "warning"),
                        _step("type", 3.8357979072133643, seconds=0.0),
                        _step("close", 1.138336884396507),
                    ),
                ),
                "b1": (
                    "ada",
                    (
                        _step("sign_in", 0.12395979386573042),
                        _step("open", 6.864664744252342),
                        _step("close", 0.028877634611176456),
                        _step("extend", 0.002753862270902259, "end"),
                    ),
                ),
            },
            (Fault("redis_slow", 15.007998420061671, 14.481206526507977, 2),),
        ),
    ],
    "a clock that had stood still credited a request as of before, and activity soon came during a warning": [
        Story(
            161,
            _setup(servers=2),
            {"b0": ("ada", (_step("sign_in", 1.0), _step("request", 5.0), _step("type", 4.0)))},
            (Fault("suspended", 4.5, 9.0),),
        ),
    ],
    "a poll, while processes still doubted the store, undid that the browser was closed": [
        Story(
            140471,
            _setup(
                servers=3, engine="cache", atomic=True, limits=_limits(idle_timeout=10.0, activity_extends_warning=True)
            ),
            {
                "b1": (
                    "ada",
                    (
                        _step("sign_in", 0.265323146368019),
                        _step("close", 2.1359192142512127),
                        _step("poll", 0.01435947087421684),
                    ),
                ),
            },
            (),
        ),
    ],
    "Redis went away before an end was recorded, and a sign-in that had begun before it went on by the record": [
        Story(
            150820,
            _setup(
                engine="cache",
                atomic=True,
                skewed=True,
                limits=_limits(idle_timeout=10.0, warn_before=2.0, close_grace=None, hold_limit=8.0, heartbeat=2.0),
            ),
            {
                "b0": (
                    "ada",
                    (
                        _step("sign_in", 1.9121646731866822),
                        _step("sign_in", -0.02523010761995942, "end", pause=1.0341601380043581),
                    ),
                ),
            },
            (Fault("redis_away", 12.235828980523749, 7.748162344088996),),
        ),
    ],
    "a record was closed while Redis lost requests, and its tab was told that the clock had ended it": [
        Story(
            150472,
            _setup(
                engine="cache",
                atomic=True,
                limits=_limits(
                    idle_timeout=12.0, warn_before=2.0, absolute_timeout=25.0, hold_limit=0.0, heartbeat=2.0
                ),
            ),
            {
                "b0": (
                    "ada",
                    (
                        _step("sign_in", 0.08122200469420182, pause=4.049292803994081),
                        _step("request", 4.722636535870578),
                        _step("disable", -0.06456986623346328, "end"),
                    ),
                ),
            },
            (Fault("redis_lossy", 19.450982922650056, 1.945770541787194),),
        ),
    ],
    "a tab opened just after an outage ended a session by a store that lacked what a replaced process had recorded": [
        Story(
            118280,
            _setup(servers=2, limits=_limits(idle_timeout=12.0, warn_before=2.0, checkpoint=1.2)),
            {
                "b0": (
                    "bob",
                    (
                        _step("sign_in", 0.5651795019977963),
                        _step("navigate", 0.035088140667587926),
                        _step("sleep", 6.790305851510414, seconds=0.7068525939549619),
                        _step("change_password", 5.622425773986166, pause=2.0891641633534768),
                    ),
                ),
                "b1": (
                    "bob",
                    (
                        _step("sign_in", 1.4779802957673391),
                        _step("sleep", 3.1903965409103767, seconds=2.3226874686594985),
                        _step("work", 6.451536418085858, pause=3.8236776148947693),
                    ),
                ),
                "b2": ("ada", (_step("sign_in", 1.2753594945565487),)),
            },
            (
                Fault("redis_hangs", 9.031859390286076, 7.71820548142723, 1),
                Fault("restarted", 15.34593018505633, 13.031311058628688, 1),
            ),
        ),
    ],
    "Redis evicted a session, another process opened it again from its record, and who knew more did not say": [
        Story(
            112919,
            _setup(
                servers=2,
                engine="cache",
                max_sessions=2,
                limits=_limits(idle_timeout=12.0, warn_before=2.0, hold_limit=8.0, checkpoint=1.2),
            ),
            {
                "b0": ("bob", (_step("sign_in", 1.27), _step("sign_out", 3.248))),
                "b1": ("ada", (_step("sign_in", 1.254),)),
                "b2": (
                    "bob",
                    (
                        _step("sign_in", 1.587),
                        _step("open", wait),
                        _step("type", 0.163, seconds=0.0),
                        _step("close_all", 0.3, "warning"),
                    ),
                ),
            },
            (Fault("redis_evicts", 7.095, 1.627),),
        )
        for wait in (4.8, 5.074)
    ],
    "a process that stopped lost what it alone knew, since one statement of its last checkpoint failed": [
        Story(
            116179,
            _setup(
                store="memory",
                engine="cache",
                skewed=True,
                limits=_limits(
                    idle_timeout=10.0, warn_before=2.0, absolute_timeout=None, close_grace=None, heartbeat=2.0
                ),
            ),
            {
                "b0": (
                    "ada",
                    (
                        _step("sign_in", 1.36),
                        _step("navigate", 0.37),
                        _step("extend", 8.49),
                        _step("message", 2.21),
                        _step("extend", -0.01, "warning"),
                    ),
                ),
                "b1": (
                    "bob",
                    (
                        _step("sign_in", 1.36, pause=4.194),
                        _step("request", 0.05),
                        _step("type", 0.01, seconds=1.385),
                        _step("request", 4.60),
                    ),
                ),
            },
            (Fault("database_lossy", 13.28, 12.13), Fault("restarted", 25.35, 4.35)),
        ),
    ],
    "a tab that was shown a warning by the record alone went on warning after its user had signed in again": [
        Story(
            115337,
            _setup(
                servers=2,
                engine="cache",
                max_sessions=2,
                skewed=True,
                limits=_limits(idle_timeout=10.0, close_grace=6.0, hold_limit=8.0),
            ),
            {
                "b0": (
                    "bob",
                    (
                        _step("sign_in", 1.03),
                        _step("request", 2.20),
                        _step("open", 7.77),
                        _step("sync", 6.64),
                        _step("sign_in", 0.01, "warning", pause=3.04),
                    ),
                )
            },
            (Fault("redis_away", 16.81, 7.18, 1),),
        ),
    ],
    "a user who signed in again during an outage was not signed in: their former session was perhaps over by then": [
        Story(
            5041,
            _setup(servers=3, skewed=True, limits=_limits(hold_limit=0.0, heartbeat=2.0, checkpoint=1.5)),
            {
                "b0": ("bob", (_step("sign_in", 1.45), _step("sign_in", -0.75, "end", pause=1.478290956900513))),
                "b1": ("bob", (_step("sign_in", 1.23), _step("hold", 0.01, "end"))),
            },
            (Fault("redis_hangs", 5.09, 12.88, 2),),
        ),
    ],
    "a sign-in in a long transaction was ended as lost: other processes do not see its record yet": [
        Story(20, _setup(atomic=True), {"b0": ("bob", (_step("sign_in", 0.72, pause=5.23),))}, ()),
        Story(
            51,
            _setup(atomic=True),
            {
                "b1": (
                    "bob",
                    (_step("sign_in", 0.12), _step("sign_out", 5.41), _step("sign_in", 0.01, pause=4.48)),
                )
            },
            (),
        ),
    ],
    "a replica that lagged took over, and a session with an open tab ended early": [
        Story(
            23,
            _setup(servers=3),
            {
                "b0": (
                    "ada",
                    (
                        _step("sign_in", 0.38),
                        _step("change_password", -0.02, "warning"),
                        _step("open", 7.69),
                    ),
                )
            },
            (Fault("redis_failover", 17.95, 1.77, 1),),
        )
    ],
    "Redis was flushed, and no process reported what was seen in requests alone": [
        Story(
            192,
            _setup(servers=2, atomic=True, limits=_limits(idle_timeout=12.0, warn_before=2.0)),
            {
                "b1": ("bob", (_step("sign_in", 0.94), _step("change_password", 4.43))),
                "b2": ("bob", (_step("sign_in", 0.66),)),
            },
            (Fault("redis_flushed", 5.65, 13.82),),
        ),
        Story(
            222,
            _setup(servers=3, engine="cache", atomic=True, max_sessions=1),
            {"b0": ("ada", (_step("sign_in", 0.41),)), "b1": ("ada", (_step("sign_in", 1.85, pause=4.5),))},
            (Fault("redis_snapshot", 5.84, 2.57, 1),),
        ),
    ],
    "a session ended between the arrival of a sign-in and the sign-in, which was thrown out with it": [
        Story(
            3012,
            _setup(servers=3, max_sessions=1, limits=_limits(absolute_timeout=None, close_grace=None)),
            {
                "b0": ("bob", (_step("sign_in", 1.5), _step("extend", 3.51))),
                "b1": ("ada", (_step("sign_in", 1.11), _step("sign_in", offset, "end", pause=1.04))),
            },
            (),
        )
        for offset in (-0.01, -0.006, -0.004, -0.002)
    ],
    "a check that waited for a lock of the project took a session for lost, whose key had been replaced meanwhile": [
        Story(
            473,
            _setup(servers=3, engine="cache", atomic=True, limits=_limits(idle_timeout=10.0)),
            {
                "b0": (
                    "bob",
                    (
                        _step("sign_in", 0.5),
                        _step("type", 3.0),
                        _step("change_password", 2.0),
                        _step("sign_in", 0.03, pause=6.0),
                    ),
                )
            },
            (),
        )
    ],
    "Redis was back and the database away, and activity waited for it in one process while another ended the session": [
        Story(
            644,
            _setup(servers=3, has_replica=True, limits=_limits(idle_timeout=10.0, warn_before=2.0)),
            {"b0": ("bob", (_step("sign_in", 0.54), _step("type", 5.71, seconds=6.7)))},
            (Fault("redis_lossy", 4.765, 1.643), Fault("database_away", 5.862, 4.328)),
        )
    ],
    "a request that found a flushed store took the record for all, and ended the session that others kept": [
        Story(
            70153,
            _setup(servers=3, engine="cache", limits=_limits(idle_timeout=10.0, hold_limit=8.0)),
            {
                "b0": ("ada", (_step("sign_in", 1.5681634917112615),)),
                "b1": (
                    "bob",
                    (
                        _step("sign_in", 0.8595804976484493, pause=1.689150482946377),
                        _step("fail", 2.42093973452121),
                        _step("message", 0.01986521488275538),
                        _step("type", 4.457062975146056, seconds=7.191345058289237),
                        _step("change_password", 0.04182534709252729),
                    ),
                ),
            },
            (
                Fault("database_away", 9.608131017576493, 1.3203175581167348),
                Fault("redis_flushed", at, 1.0267394749372691, 1),
            ),
        )
        for at in (16.774, 16.779, 16.784)
    ],
    "a process stood still between the old key of a session and the new one, and another found the session lost": [
        Story(
            9000 + number,
            _setup(servers=2, engine=engine),
            {"b0": ("ada", (_step("sign_in", 0.5), _step("open", 1.0), _step("type", 2.0), _step("sign_in", 2.5)))},
            (Fault("stopped", at, 3.0, target),),
        )
        for number, engine, at, target in ((10, "cache", 6.116, 1), (24, "db", 6.1384, 0), (25, "db", 6.14, 0))
    ],
    "an older copy took over while the database was away, and a process reported nothing of what it had seen": [
        Story(
            470,
            _setup(servers=3, engine="cache", atomic=True, limits=_limits(idle_timeout=10.0, hold_limit=8.0)),
            {
                "b1": (
                    "bob",
                    (
                        _step("sign_in", 0.02),
                        _step("extend", 2.42),
                        _step("extend", -0.03, "end"),
                        _step("extend", -0.79, "end"),
                        _step("extend", -0.37, "end"),
                    ),
                )
            },
            (
                Fault("database_away", 6.19, 13.08, 2, "end", -1.89),
                Fault("redis_failover", 6.19, 4.98, 0, "end", -2.46),
            ),
        )
    ],
    "a view with a transaction waited for the claim of the memory store, which waited for that transaction": [
        Story(
            367,
            _setup(
                servers=2,
                store="memory",
                atomic=True,
                skewed=True,
                limits=_limits(idle_timeout=10.0, warn_before=2.0, hold_limit=0.0),
            ),
            {
                "b0": (
                    "bob",
                    (
                        _step("sign_in", 1.937, pause=4.197),
                        _step("request", 0.004),
                        _step("sign_in", 13.372, pause=4.221),
                    ),
                ),
                "b1": (
                    "ada",
                    (
                        _step("sign_in", 0.546),
                        _step("work", 5.955),
                        _step("extend", 0.372, "end"),
                        _step("sign_in", 0.03),
                        _step("sign_in", 6.71),
                    ),
                ),
            },
            (),
        )
    ],
}
"""By what was found."""
