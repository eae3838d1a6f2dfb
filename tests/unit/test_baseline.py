"""The idle baseline: when it is taken, when it is stale, and what is above it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from monitor.bill_words import headline, idle_words
from monitor.energy.account import Bill, Phase, account
from monitor.energy.baseline import (
    AboveIdle,
    Baseline,
    Conditions,
    IdleLine,
    Stale,
    above_idle,
    above_idle_brief,
    above_idle_words,
    baseline_from,
    why_stale,
)
from monitor.forms import baseline_json, energy_json, record_json
from monitor.power.channel import Accuracy, Channel, Kind, Reading, Role
from monitor.power.trace import Trace
from monitor.store.baselines import Baselines
from monitor.store.endings import Ending, _read, _write
from monitor.store.history import History
from monitor.store.merge import merge
from tests.unit.builders import channel, outcome, query_start, stored_query
from tests.unit.conftest import MakeChannel

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HERE = Conditions("a-start", 1_000_000.0, "balanced · powersave", on_mains=True)
CPU = channel("rapl:package-0", label="CPU 0")
DRAM = channel("rapl:package-0:dram", label="DRAM 0")
PSYS = channel("rapl:psys", role=Role.WHOLE, label="Platform")


def traced(watts_of: dict[Channel, Callable[[float], float]], duration_s: float) -> Trace:
    """Read counters ten times a second, from 0 on."""
    trace = Trace()
    joules = dict.fromkeys(watts_of, 0.0)
    for each in watts_of:
        trace.add(each)
    for n in range(round(duration_s * 10) + 1):
        at_s = n / 10
        trace.record([Reading(each.key, at_s, counter_j=joules[each]) for each in watts_of])
        for each, watts in watts_of.items():
            joules[each] += watts(at_s) / 10
    return trace


def idle_at(watts: dict[Channel, tuple[float, float]], **changes: object) -> Baseline:
    lines = tuple(IdleLine(each, w, spread, 60) for each, (w, spread) in watts.items())
    made = Baseline("a-baseline", NOW.isoformat(), 60.0, HERE, lines)
    return replace(made, **changes)  # type: ignore[arg-type]


# --- what the idle machine draws -----------------------------------------------------------


def test_median_and_spread_are_those_of_the_seconds() -> None:
    random = np.random.default_rng(0)
    drift_w = 0.4 * random.standard_normal(61)
    trace = traced({CPU: lambda at_s: 10.0 + drift_w[int(at_s)]}, 60.0)
    made = baseline_from(trace, [CPU], 0.0, 60.0, HERE)
    assert made is not None
    (line,) = made.lines
    assert line.samples == 60
    assert line.median_w == pytest.approx(10.0, abs=0.15)
    assert line.spread_w == pytest.approx(0.4, rel=0.35)


def test_a_burst_does_not_move_the_baseline() -> None:
    """Five seconds at 90 W make a mean of 16.7 W of an idle 10 W."""
    trace = traced({CPU: lambda at_s: 90.0 if 20 <= at_s < 25 else 10.0}, 60.0)
    made = baseline_from(trace, [CPU], 0.0, 60.0, HERE)
    assert made is not None
    assert made.lines[0].median_w == pytest.approx(10.0, rel=0.01)
    assert made.lines[0].spread_w < 0.5


def test_a_channel_that_was_not_read_has_no_line_and_no_zero() -> None:
    trace = traced({CPU: lambda _: 10.0}, 20.0)
    trace.add(DRAM)
    made = baseline_from(trace, [CPU, DRAM], 0.0, 20.0, HERE)
    assert made is not None
    assert [line.channel for line in made.lines] == [CPU]
    assert baseline_from(trace, [DRAM], 0.0, 20.0, HERE) is None
    assert baseline_from(trace, [CPU], 0.0, 3.0, HERE) is None


def test_the_total_is_the_sum_of_the_parts_alone() -> None:
    total = idle_at({CPU: (10.0, 0.3), DRAM: (2.0, 0.4), PSYS: (30.0, 1.0)}).total()
    assert total == (pytest.approx(12.0), pytest.approx(0.5))
    assert idle_at({PSYS: (30.0, 1.0)}).total() is None


# --- conditions and staleness ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "later", "why"),
    [
        ({}, timedelta(hours=23), ()),
        ({}, timedelta(hours=25), (Stale.AGE,)),
        ({}, timedelta(hours=-2), (Stale.CLOCK,)),
        ({"boot_id": "another"}, timedelta(), (Stale.RESTART,)),
        ({"profile": "performance"}, timedelta(), (Stale.PROFILE,)),
        ({"on_mains": False}, timedelta(), (Stale.MAINS,)),
        ({"on_mains": None, "profile": ""}, timedelta(), ()),
        ({"boot_id": "", "booted_s": 1_000_020.0}, timedelta(), ()),
        ({"boot_id": "", "booted_s": 1_009_000.0}, timedelta(), (Stale.RESTART,)),
        ({"on_word": "GPU 0"}, timedelta(), ()),
        ({"boot_id": "b", "on_mains": False}, timedelta(days=3),
         (Stale.AGE, Stale.RESTART, Stale.MAINS)),
    ],
)  # fmt: skip
def test_a_baseline_goes_stale(
    changed: dict[str, object], later: timedelta, why: tuple[Stale, ...]
) -> None:
    present = replace(HERE, **changed)  # type: ignore[arg-type]
    assert why_stale(idle_at({CPU: (10.0, 0.3)}), present, NOW + later) == why


# --- above idle ------------------------------------------------------------------------------


@pytest.fixture
def billed(make_channel: MakeChannel) -> Callable[..., Bill]:
    """Bill ten seconds of constant watts, five of prefill and five of decode."""

    def bill(*watts: float, accuracy: Accuracy | None = None) -> Bill:
        channels = [
            make_channel(f"test:{n}", accuracy=accuracy or Accuracy(0.0, 0.0, 0.0, "a test"))
            for n in range(len(watts))
        ]
        trace = traced(
            {each: lambda _, w=w: w for each, w in zip(channels, watts, strict=True)}, 12.0
        )
        return account(trace, channels, [Phase("prefill", 1, 6), Phase("decode", 6, 11)])

    return bill


def idle_of(bill: Bill, *watts: float, spread_w: float = 0.0) -> Baseline:
    parts = [line.channel for line in bill.by_channel()]
    return idle_at({each: (w, spread_w) for each, w in zip(parts, watts, strict=True)})


def test_above_idle_is_each_part_s_joules_less_idle_over_the_same_time(
    billed: Callable[..., Bill],
) -> None:
    bill = billed(50.0, 8.0)
    found = above_idle(bill, idle_of(bill, 20.0, 3.0))
    assert found is not None
    assert found.joules == pytest.approx(10 * (30 + 5), rel=1e-6)
    assert found.low_j <= found.joules <= found.high_j
    assert found.is_above
    assert found.baseline_id == "a-baseline"


def test_the_spread_of_idle_is_the_scatter_of_what_is_above(billed: Callable[..., Bill]) -> None:
    """Two channels, each ± 0.5 W all the while: 5 J each, in quadrature, at 95 %."""
    bill = billed(50.0, 8.0)
    sure = above_idle(bill, idle_of(bill, 20.0, 3.0))
    unsure = above_idle(bill, idle_of(bill, 20.0, 3.0, spread_w=0.5))
    assert sure is not None
    assert unsure is not None
    edges_j = (sure.high_j - sure.joules) / 1.96
    half_j = (unsure.high_j - unsure.joules) / 1.96
    assert half_j == pytest.approx((edges_j**2 + 2 * 5.0**2) ** 0.5, rel=1e-6)


def test_a_sensor_s_gain_is_of_the_difference_and_its_offset_cancels(
    billed: Callable[..., Bill],
) -> None:
    exact = billed(50.0)
    doubtful = billed(50.0, accuracy=Accuracy(0.05, 0.1, 7.0, "a test"))
    a, b = (above_idle(bill, idle_of(bill, 20.0)) for bill in (exact, doubtful))
    assert a is not None
    assert b is not None
    assert a.low_j - b.low_j == pytest.approx(0.05 * 300, rel=1e-3)
    assert b.high_j - a.high_j == pytest.approx(0.1 * 300, rel=1e-3)


def test_below_idle_is_said_to_be_not_above_and_is_no_negative_energy(
    billed: Callable[..., Bill],
) -> None:
    bill = billed(19.8)
    found = above_idle(bill, idle_of(bill, 20.0, spread_w=0.4))
    assert found is not None
    assert (found.joules, found.low_j) == (0.0, 0.0)
    assert found.high_j == pytest.approx(-2.0 + 1.96 * 4.0, rel=0.05)
    assert not found.is_above
    assert above_idle_words(found, Kind.COUNTER).startswith("not above idle (0–5.")


def test_a_part_the_baseline_does_not_know_leaves_nothing_to_tell(
    billed: Callable[..., Bill],
) -> None:
    bill = billed(50.0, 8.0)
    lacking = replace(idle_of(bill, 20.0, 3.0), lines=idle_of(bill, 20.0, 3.0).lines[:1])
    assert above_idle(bill, lacking) is None
    assert above_idle(Bill(()), lacking) is None
    assert above_idle_words(None, None) == "above idle: not known, as no idle baseline fits"
    assert "`llamawatt baseline` measures one" in idle_words(None, None)


def test_json_and_words_name_the_baseline_and_that_it_is_stale(
    billed: Callable[..., Bill],
) -> None:
    bill = billed(50.0)
    found = above_idle(bill, idle_of(bill, 20.0), [Stale.AGE, Stale.MAINS])
    energy = energy_json(bill, found, NOW + timedelta(hours=30))
    assert energy["above_idle_j"] == pytest.approx(300.0)
    assert energy["above_idle_low_j"] <= 300.0 <= energy["above_idle_high_j"]
    assert energy["baseline"] == {
        "id": "a-baseline",
        "measured_at": NOW.isoformat(),
        "age_s": 30 * 3600.0,
        "median_w": 20.0,
        "is_stale": True,
        "stale_because": ["age", "mains"],
    }
    words = above_idle_words(found, Kind.COUNTER)
    assert "● 300 J" in words
    assert "above idle, which was ● 20.0 W on 2026-03-02: a stale baseline, as it is older" in words
    assert "older than a day, the machine went from mains" in words
    brief = above_idle_brief(found, Kind.COUNTER)
    assert brief == "● 300 J above idle (● 20.0 W, 2026-03-02, stale)"
    fresh = above_idle(bill, idle_of(bill, 20.0))
    assert fresh is not None
    assert above_idle_words(fresh, Kind.COUNTER).endswith(", which was ● 20.0 W on 2026-03-02")
    assert above_idle_brief(fresh, Kind.COUNTER).endswith("above idle (● 20.0 W, 2026-03-02)")
    unsure = above_idle(bill, idle_of(bill, 20.0), [Stale.WORD])
    assert unsure is not None
    assert above_idle_words(unsure, Kind.COUNTER).endswith(
        "an uncertain baseline, as a GPU that tells no load was at rest by a person's word only"
    )
    assert above_idle_brief(unsure, Kind.COUNTER).endswith("(● 20.0 W, 2026-03-02, uncertain)")
    doubt = energy_json(bill, unsure)["baseline"]
    assert (doubt["is_stale"], doubt["stale_because"]) == (False, ["word"])
    both = above_idle(bill, idle_of(bill, 20.0), [Stale.AGE, Stale.WORD])
    assert both is not None
    assert ": a stale baseline, as it is older than a day, a GPU that tells no load was" in (
        above_idle_words(both, Kind.COUNTER)
    )
    nothing = energy_json(bill)
    assert nothing["above_idle_j"] is None
    assert nothing["baseline"] is None


# --- kept ------------------------------------------------------------------------------------


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    opened = History(tmp_path / "history.db")
    yield opened
    opened.close()


def test_a_baseline_is_kept_whole(history: History) -> None:
    baselines = Baselines(history.store)
    assert baselines.newest() == []
    kept = baselines.keep(idle_at({CPU: (10.0, 0.3), PSYS: (30.0, 1.0)}))
    assert kept.id
    assert baselines.newest() == [kept]
    again = baselines.keep(idle_at({CPU: (11.0, 0.2)}, measured_at=_later(hours=1)))
    assert baselines.newest(5) == [again, kept]


def _later(**by: float) -> str:
    return (NOW + timedelta(**by)).isoformat()


def test_one_that_fits_is_used_before_a_newer_one_that_does_not(history: History) -> None:
    """A laptop has one for its battery and one for mains."""
    baselines = Baselines(history.store)
    on_mains = baselines.keep(idle_at({CPU: (10.0, 0.3)}))
    battery = replace(HERE, on_mains=False)
    on_battery = baselines.keep(
        idle_at({CPU: (4.0, 0.1)}, conditions=battery, measured_at=_later(hours=1))
    )
    now = NOW + timedelta(hours=2)
    assert baselines.fitting(HERE, now) == (on_mains, ())
    assert baselines.fitting(battery, now) == (on_battery, ())
    restarted = replace(battery, boot_id="another")
    assert baselines.fitting(restarted, now) == (on_battery, (Stale.RESTART,))


def test_one_on_a_person_s_word_says_so_and_is_used_where_no_other_fits(history: History) -> None:
    baselines = Baselines(history.store)
    on_word = replace(HERE, on_word="GPU 0, GPU 1")
    unsure = baselines.keep(idle_at({CPU: (300.0, 0.3)}, conditions=on_word))
    assert baselines.fitting(HERE, NOW) == (unsure, (Stale.WORD,))
    document = baseline_json(unsure, (Stale.WORD,), NOW)
    assert (document["is_stale"], document["on_word"]) == (False, "GPU 0, GPU 1")
    sure = baselines.keep(idle_at({CPU: (30.0, 0.3)}, measured_at=_later(hours=-1)))
    assert baselines.fitting(HERE, NOW) == (sure, ())


def test_a_record_tells_what_was_above_idle_and_how_old_the_baseline_was(
    history: History,
) -> None:
    found = kept_above(history)
    record = stored_query(history, above_idle=found)
    assert record.above_idle == found
    energy = record_json(record)["energy"]
    assert energy["above_idle_j"] == 30.0
    assert energy["baseline"]["is_stale"] is True
    age_s = (datetime.fromisoformat(record.started_at) - NOW).total_seconds()
    assert energy["baseline"]["age_s"] == pytest.approx(age_s)
    assert "30.0 J above idle (◐ 10.0 W, 2026-03-02, stale)" in headline(record)


def kept_above(history: History) -> AboveIdle:
    kept = Baselines(history.store).keep(idle_at({CPU: (10.0, 0.3)}))
    return AboveIdle(30.0, 28.0, 33.0, kept.id, kept.measured_at, (Stale.AGE,), 10.0)


def test_an_end_that_had_to_wait_in_a_file_keeps_it(history: History, tmp_path: Path) -> None:
    found = kept_above(history)
    began = history.begin(query_start())
    path = tmp_path / f"unsaved-{began.query_id}.json"
    ended = outcome(above_idle=found)
    _write(path, Ending(began.query_id, "a-message", NOW.isoformat(), "a-machine", ended))
    assert _read(path).outcome == ended


def test_a_merge_brings_the_baselines_of_the_other_machine(
    history: History, tmp_path: Path
) -> None:
    other = History(tmp_path / "other.db")
    found = kept_above(other)
    record = stored_query(other, above_idle=found)
    other.close()
    merge(history.store, tmp_path / "other.db")
    merge(history.store, tmp_path / "other.db")
    assert history.record(record.id).above_idle == found
    (there,) = Baselines(history.store).newest(5)
    assert there.id == found.baseline_id
    assert [line.median_w for line in there.lines] == [10.0]
