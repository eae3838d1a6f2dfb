"""The one place where sampler, engine and history are wired together for the window."""

from dataclasses import dataclass

from monitor.bench.runner import Runner
from monitor.carbon.feed import LiveFeed
from monitor.engine.client import Engine
from monitor.meter import Meter
from monitor.paths import database_path
from monitor.power.sampler import Sampler
from monitor.sensing import sampler_for
from monitor.store.history import History


@dataclass(frozen=True, slots=True)
class Services:
    """What the window works with."""

    history: History
    sampler: Sampler
    engine: Engine
    meter: Meter
    runner: Runner
    live_carbon: LiveFeed

    def close(self) -> None:
        """Stop everything; what still runs must have been stopped before."""
        self.live_carbon.close()
        self.engine.close()
        self.sampler.stop()
        self.history.close()


def start_services() -> Services:
    """Open the history and start to sample; no sensor and no model is waited for.

    :raises StoreError: if the history cannot be opened
    """
    history = History(database_path())
    sampler = sampler_for(history)
    sampler.start()
    engine = Engine()
    meter, runner = Meter(sampler, engine, history), Runner(sampler, engine, history)
    live_carbon = LiveFeed(history)
    live_carbon.start()
    return Services(history, sampler, engine, meter, runner, live_carbon)
