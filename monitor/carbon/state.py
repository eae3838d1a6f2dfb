"""How it stands with live figures: the last one, and when the service may be asked again."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from monitor.carbon.asking import ask_live
from monitor.carbon.live import Live, LiveError, Reading
from monitor.carbon.token import read_token
from monitor.figures import duration
from monitor.hub.waiting import Tick, idly

STATE_PREFERENCE = "carbon_live_state"

LEAST = timedelta(minutes=5)
"""A service is not asked more often, whatever the time of its figure says."""

LONGEST_BAR = timedelta(days=1)

LATER = timedelta(minutes=2)
"""So long after a figure's end the next is there."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
"""After a failure, doubled with each further one."""

REFUSED_PAUSE = timedelta(hours=6)
"""After a token or a place was refused: only a person can mend that."""


class Preferences(Protocol):
    """Where it is kept: the history."""

    def preference(self, key: str, default: Any = None) -> Any:
        """Return what is kept, or ``default``."""

    def set_preference(self, key: str, value: Any) -> None:
        """Keep anything JSON can hold."""


@dataclass(frozen=True, slots=True)
class LiveState:
    """What came of asking so far.

    :param live: what was asked for
    :param reading: the last figure of it, ``None`` if there never was one
    :param problem: why there is none newer, "" if all is well
    :param failures: how often in a row there was none
    :param next_at: when to ask again, UTC; ``None`` at once
    :param barred_until: before that the service wants no question, UTC
    """

    live: Live
    reading: Reading | None = None
    problem: str = ""
    failures: int = 0
    next_at: datetime | None = None
    barred_until: datetime | None = None

    def wait(self, now: datetime) -> timedelta:
        """Return how long to wait before the service is asked, by itself, once more.

        A clock that was set back does not make it longer than a day.
        """
        if self.next_at is None:
            return timedelta()
        return min(max(self.next_at - now, timedelta()), LONGEST_BAR)

    def bar(self, now: datetime) -> timedelta:
        """Return for how long the service is still to be left alone, even if a person asks."""
        rest = self.barred_until - now if self.barred_until else timedelta()
        return rest if timedelta() < rest <= LONGEST_BAR else timedelta()

    def gave(self, reading: Reading, now: datetime) -> "LiveState":
        """Return it after a figure was given."""
        due = reading.at + self.live.provider.period + LATER
        return LiveState(self.live, reading, next_at=max(due, now + LEAST))

    def failed(self, error: LiveError, now: datetime) -> "LiveState":
        """Return it after there was none."""
        pause = min(FIRST_PAUSE * 2 ** min(self.failures, 10), LONGEST_PAUSE)
        if error.is_refused:
            pause = REFUSED_PAUSE
        bar = None if error.barred_s is None else timedelta(seconds=error.barred_s)
        return replace(
            self,
            problem=str(error),
            failures=self.failures + 1,
            next_at=now + max(pause, bar or pause),
            barred_until=None if bar is None else now + bar,
        )


def read_state(kept: Preferences, live: Live) -> LiveState:
    """Return how it stands with some live figures.

    What was remembered of others is no part of it, but for the time a service wants to be left
    alone. What cannot be read is as nothing: it is only remembered.
    """
    stored = kept.preference(STATE_PREFERENCE)
    try:
        about = Live.from_json(stored["live"])
        barred_until = _time(stored["barred_until"])
        if about == live:
            return LiveState(
                live=live,
                reading=Reading.from_json(live, stored["reading"]) if stored["reading"] else None,
                problem=str(stored["problem"]),
                failures=int(stored["failures"]),
                next_at=_time(stored["next_at"]),
                barred_until=barred_until,
            )
    except (KeyError, TypeError, ValueError, AttributeError):
        return LiveState(live)
    if about.provider is not live.provider:
        barred_until = None
    return LiveState(live, next_at=barred_until, barred_until=barred_until)


def forgive(kept: Preferences, live: Live) -> None:
    """Have the service asked again soon: a person has mended what it refused, perhaps."""
    state = read_state(kept, live)
    _keep(kept, replace(state, problem="", failures=0, next_at=state.barred_until))


def refresh(kept: Preferences, live: Live, tick: Tick = idly) -> LiveState:
    """Ask for the present figure now, and keep what comes of it.

    :param tick: called while waiting; what it raises ends that
    :return: the state after it; its ``problem`` says why there is no figure
    """
    now = datetime.now(UTC)
    before = read_state(kept, live)
    if bar := before.bar(now):
        rest = duration(bar.total_seconds())
        problem = f"{live.provider.label} takes no more questions from you for {rest} (429)."
        return replace(before, problem=problem)
    try:
        after = before.gave(ask_live(live, read_token, now, tick), now)
    except LiveError as error:
        after = before.failed(error, now)
    tick()
    _keep(kept, after)
    return after


def give_up(kept: Preferences, live: Live) -> None:
    """Keep that an answer was no longer waited for: a silent service is asked ever less often."""
    error = LiveError(f"{live.provider.label} had not answered when LlamaWatt ended. Try again.")
    _keep(kept, read_state(kept, live).failed(error, datetime.now(UTC)))


def _keep(kept: Preferences, state: LiveState) -> None:
    kept.set_preference(
        STATE_PREFERENCE,
        {
            "live": state.live.to_json(),
            "reading": state.reading and state.reading.to_json(),
            "problem": state.problem,
            "failures": state.failures,
            "next_at": state.next_at and state.next_at.isoformat(),
            "barred_until": state.barred_until and state.barred_until.isoformat(),
        },
    )


def _time(stored: str | None) -> datetime | None:
    """Read a time, which must tell its zone to be compared."""
    return None if stored is None else datetime.fromisoformat(stored).astimezone(UTC)
