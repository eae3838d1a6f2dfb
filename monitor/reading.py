"""How far the reading of a prompt has come, in words."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from monitor import figures
from monitor.engine.messages import PrefillStarted, PromptRead


@dataclass(frozen=True, slots=True)
class Reading:
    """A prompt that is being processed.

    :param start_s: when its first token was to be, in ``time.monotonic()``
    :param tokens: of the whole prompt
    :param reused: of those, found in the context already
    :param read: tokens processed so far, those found among them
    :param read_s: when the latest of them was
    """

    start_s: float
    tokens: int
    reused: int
    read: int
    read_s: float

    @classmethod
    def begun(cls, started: PrefillStarted) -> "Reading":
        """Make one of which nothing is processed yet."""
        return cls(started.time_s, started.tokens, started.reused, started.reused, started.time_s)

    def after(self, message: PromptRead) -> "Reading":
        """Return how far it has come with another chunk."""
        return replace(self, read=message.tokens, read_s=message.time_s)

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens processed a second until the latest; ``None`` before the first of them are."""
        new, duration_s = self.read - self.reused, self.read_s - self.start_s
        return new / duration_s if new > 0 and duration_s > 0 else None

    def words(self, translate: Callable[[str], str] = str) -> str:
        """Say how far it has come by now: 29 % of 1,753 tokens · 15 s · 34.2 t/s.

        Of a prompt that is processed in one step no share can be told.

        :param translate: for the window's language
        """
        whole = translate("%1 tokens").replace("%1", f"{self.tokens:,}")
        rate = self.tokens_per_s
        if rate is not None:
            share = translate("%1 % of %2").replace("%1", str(100 * self.read // self.tokens))
            whole = share.replace("%2", whole)
        passed = translate("%1 s").replace("%1", f"{time.monotonic() - self.start_s:.0f}")
        return " · ".join([whole, passed, *([] if rate is None else [figures.rate(rate)])])
