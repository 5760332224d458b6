"""What can happen to a session. An event is a value; `idlewatch.core.reducer` makes the next facts of it."""

from __future__ import annotations

from msgspec import Struct


class Acted(Struct, frozen=True):
    """The user acted in a page."""

    ago: float = 0.0
    """Seconds between the act and the receipt of the page's message."""


class Requested(Struct, frozen=True):
    """The user made a request that counts as activity."""

    duration: float = 0.0
    """Seconds since the request was received: one that takes long counts again when it finishes."""


class Extended(Struct, frozen=True):
    """The user chose to stay."""


class SignedIn(Struct, frozen=True):
    """The user signed in again, which restarts every clock (NIST SP 800-63B §5.2)."""


class Held(Struct, frozen=True):
    """A page started or renewed a hold: work that needs no input, such as an upload."""

    id: str
    label: str = ""
    """What users and operators see of the work."""


class Released(Struct, frozen=True):
    """A page released a hold."""

    id: str


class TabOpened(Struct, frozen=True):
    """A tab connected to a process."""

    process: str
    limit: int
    """The number of tabs at which one more is refused."""


class TabClosed(Struct, frozen=True):
    """A tab disconnected from a process."""

    process: str
    closed: bool
    """Whether the tab was closed cleanly, and not by a navigation."""


class TabsCounted(Struct, frozen=True):
    """A process reports how many tabs it serves; 0 when its lease has lapsed."""

    process: str
    count: int


class PageShown(Struct, frozen=True):
    """A navigation was answered with a page."""

    has_client: bool
    """Whether the page has the client."""


class PageMissed(Struct, frozen=True):
    """The client of the last page has not connected in time."""


class Polled(Struct, frozen=True):
    """A page without a socket polled over HTTP, so a tab is open."""


class Reported(Struct, frozen=True):
    """A record, or an earlier store, reports activity that it has admitted; it is not judged again."""

    active: float
    """Epoch seconds of the last activity."""
    logged_in_at: float = 0.0
    """Epoch seconds of the last sign-in, if it is known."""
    held_until: float = 0.0
    """Epoch seconds until which holds stopped the idle clock."""
    held_since: float | None = None
    """Epoch seconds at which the first hold after the last activity started."""
    is_open: bool = False
    """Whether a page was open, or asked, while the store was unavailable: its browser is not closed."""


Event = (
    Acted
    | Requested
    | Extended
    | SignedIn
    | Held
    | Released
    | TabOpened
    | TabClosed
    | TabsCounted
    | PageShown
    | PageMissed
    | Polled
    | Reported
)

CREDITING = Acted, Requested
"""Activity of the user: a session that is not warned yet is warned later by it, or ends later, and never sooner."""
COUNTING = TabOpened, TabClosed, TabsCounted
"""Events that may change which processes have tabs of a session open."""
