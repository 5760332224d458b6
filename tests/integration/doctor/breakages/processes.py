"""What is wrong with the processes, while their settings are right."""

from __future__ import annotations

from idlewatch.doctor.findings import Trial
from tests.integration.doctor.breakage import SOCKETS, Base, Breakage

WITHOUT_TIMER = frozenset({Trial.EPOCH, Trial.LEASES, Trial.READINESS})

BREAKAGES = [
    Breakage(
        name="an application that is not wrapped",
        application="tests.integration.doctor.asgi:unwatched",
        faults={Trial.TIMER: "watched"},
        consequences=WITHOUT_TIMER,
    ),
    Breakage(
        name="an application whose router hides the sockets",
        application="tests.integration.doctor.asgi:http_alone",
        faults={Trial.HANDSHAKE: "watched"},
    ),
    Breakage(
        name="a timer that hangs",
        application="tests.integration.doctor.asgi:hanging_timer",
        faults={Trial.TIMER: "round"},
        consequences=WITHOUT_TIMER | SOCKETS,
    ),
    Breakage(
        name="a timer that fails",
        application="tests.integration.doctor.asgi:failing_timer",
        faults={Trial.TIMER: "died"},
        consequences=WITHOUT_TIMER | SOCKETS,
    ),
    Breakage(
        name="a listener that stopped in one of two processes",
        base=Base.TWO,
        application="tests.integration.doctor.asgi:maybe_deaf",
        second={"DEAF": "1"},
        faults={Trial.LAYER_DELIVERY: "listener"},
        consequences=SOCKETS,
    ),
    Breakage(
        name="another site at the address",
        doctor={"SECRET_KEY": "the key of another site, as long as it should be, with enough letters"},
        faults={Trial.CHALLENGE: "SECRET_KEY"},
    ),
    Breakage(
        name="processes that were not restarted after a change of settings",
        doctor={"IDLEWATCH_IDLE_TIMEOUT": "700"},
        faults={Trial.SAME_SETTINGS: "IDLEWATCH"},
    ),
    Breakage(
        name="one of two processes has other settings",
        base=Base.TWO,
        second={"IDLEWATCH_IDLE_TIMEOUT": "700"},
        faults={Trial.SAME_SETTINGS: "IDLEWATCH"},
    ),
]
