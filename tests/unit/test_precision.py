"""Several runs of one prompt: what their mean is worth, and how many would be enough."""

import math
from dataclasses import replace

import numpy as np
import pytest

from monitor import repeat_report
from monitor.energy.account import DECODE, METHOD, Bill, Line, Phase, account
from monitor.energy.interval import Z95, Interval, t95
from monitor.energy.ledger import Ledger
from monitor.energy.precision import FEWEST, Mean, join_bills, mean_of, runs_needed
from monitor.power.channel import Kind, Reading
from monitor.power.sampler import Sampler
from monitor.power.trace import Trace
from monitor.repeat_report import repeated_json
from monitor.repeating import Plan, Repeated
from monitor.store.records import QueryRecord, Tokens
from tests.unit.builders import CPU, GPU, line
from tests.unit.conftest import MakeChannel


def bill(joules: float, accuracy: float = 0.0, random_j: float = 0.0, method: int = METHOD) -> Bill:
    """A bill of one line whose sensor may be off by a share of it."""
    energy = Interval(joules, joules * accuracy, joules * accuracy, random_j)
    return Bill((replace(line(CPU), energy=energy),), method)


def mean(*joules: float, accuracy: float = 0.0, random_j: float = 0.0) -> Mean:
    found = mean_of([bill(each, accuracy, random_j) for each in joules])
    assert found
    return found


def test_the_mean_has_the_interval_of_students_t() -> None:
    found = mean(9.0, 10.0, 11.0)
    assert found.energy.joules == pytest.approx(10.0)
    assert found.spread_j == pytest.approx(1.0)
    # 4.303 is the tabled quantile of two degrees of freedom.
    half_j = 4.303 / math.sqrt(3)
    assert found.energy.high_j - 10.0 == pytest.approx(half_j, rel=1e-3)
    assert found.precision == pytest.approx(half_j / 10, rel=1e-3)


def test_what_the_sensor_is_off_by_stays_however_often_one_measures() -> None:
    few, many = (mean(*[10.0, 10.2] * count, accuracy=0.05) for count in (2, 200))
    assert few.systematic == pytest.approx(0.05)
    assert many.systematic == pytest.approx(0.05)
    assert many.scatter < few.scatter / 8
    assert not many.can_reach(0.05)
    assert many.can_reach(0.051)


def test_runs_that_happen_to_agree_are_no_surer_than_their_sampling() -> None:
    found = mean(10.0, 10.0, 10.0, random_j=0.5)
    assert found.spread_j == 0.0
    assert found.energy.random_j >= 0.5 / math.sqrt(3)


def test_of_one_run_no_spread_is_known_and_no_number_of_runs_told() -> None:
    found = mean(10.0, random_j=0.5)
    assert (found.count, found.spread_j, found.needed(0.05)) == (1, None, None)
    assert found.energy.random_j == 0.5


def test_what_was_not_measured_is_left_out_of_the_mean_rather_than_zero() -> None:
    nothing = Bill((line(CPU, joules=None),))
    found = mean_of([bill(10.0), nothing, bill(12.0)])
    assert found
    assert found.joules == (10.0, 12.0)
    assert mean_of([nothing, nothing]) is None
    assert mean_of([]) is None


def test_a_card_that_woke_in_one_run_does_not_rule_the_others_out() -> None:
    card = replace(line(GPU), energy=Interval(30.0, 0.0, 0.0, 0.0))
    odd = replace(bill(200), lines=(*bill(200).lines, card))
    found = mean_of([odd, *(bill(200) for _ in range(11))])
    assert found
    assert (found.count, found.left_out, found.energy.joules) == (11, 1, 200)


def test_a_run_that_lacks_a_part_is_left_out_of_the_mean(record: QueryRecord) -> None:
    whole = Bill((line(CPU, joules=200.0), line(GPU, joules=2000.0)))
    lacking = Bill((line(CPU, joules=200.0), line(GPU, joules=None)))
    patchy = Bill((whole.lines[0], replace(whole.lines[1], coverage=0.5)))
    found = mean_of([whole, lacking, whole, patchy, whole])
    assert found
    assert found.energy.joules == pytest.approx(2200.0)
    assert (found.count, found.left_out, found.unread) == (3, 2, ())
    records = tuple(replace(record, bill=each) for each in (whole, lacking, whole, patchy, whole))
    repeats = Repeated("a", Plan(times=5), None, records, found, ended=True)
    assert repeats.notes()[0] == (
        "Runs that the mean leaves out, as other parts were read in them than in the others: "
        "2 of 5 (GPU 0)."
    )
    assert repeat_report.progress_line(replace(repeats, records=records[:2])).startswith(
        "Run 2: ≥ ● 200 J"
    )


def test_how_sure_a_mean_is_and_why_is_said_in_words(record: QueryRecord) -> None:
    bills = [Bill((line(CPU, joules=joules),)) for joules in (190.0, 200.0, 210.0)]
    records = tuple(replace(record, bill=bill) for bill in bills)
    repeats = Repeated("a", Plan(times=3), None, records, mean_of(bills), ended=True)
    said = repeat_report.lines(repeats)
    assert said[0].startswith("Run 3: ● 210 J · mean so far ● 200 J (")
    assert said[1].startswith("Mean of 3: ● 200 J (")
    assert said[1].endswith("), with 95 % confidence.")
    assert said[2].startswith("The runs differ by 10.0 J (standard deviation), which leaves the ")
    single = repeat_report.lines(replace(repeats, mean=mean_of(bills[:1])))[2]
    assert single.startswith("How much runs differ is not known of one; the sensors may be off by")


def test_a_part_that_no_run_read_is_said_and_the_mean_marked(record: QueryRecord) -> None:
    lacking = Bill((line(CPU, joules=200.0), line(GPU, joules=None)))
    found = mean_of([lacking] * 3)
    assert found
    assert (found.count, found.left_out, found.unread) == (3, 0, ("GPU 0",))
    records = tuple(replace(record, bill=lacking) for _ in range(3))
    repeats = Repeated("a", Plan(times=3), None, records, found, ended=True)
    assert "GPU 0 was not read in any of these runs" in repeats.notes()[0]
    assert "Mean of 3: ≥ ● 200 J" in " ".join(repeat_report.lines(repeats))


def test_if_nothing_whole_was_read_that_is_said(record: QueryRecord) -> None:
    patchy = Bill((line(CPU), replace(line(GPU), coverage=0.5)))
    assert mean_of([patchy, patchy]) is None
    repeats = Repeated("a", Plan(precision=0.05, most=9), None, (replace(record, bill=patchy),) * 2)
    assert "In none of the runs was enough read" in repeats.notes()[0]
    # It may be read in the next.
    assert not repeats.plan.is_done(2, None, repeats.is_measured)
    assert repeats.plan.is_done(9, None, repeats.is_measured)


def test_bills_of_different_methods_are_not_added() -> None:
    with pytest.raises(ValueError, match="methods"):
        mean_of([bill(10.0), bill(10.0, method=METHOD - 1)])


def test_the_weakest_kind_is_the_means() -> None:
    both = Bill((line(CPU), line(GPU)))
    found = mean_of([both, both])
    assert found
    assert found.kind is Kind.POWER


def test_the_mean_holds_the_truth_as_often_as_it_says() -> None:
    """Also if one stops as soon as the interval is narrow enough."""
    rng = np.random.default_rng(3)
    for stops, share in ((False, 0.94), (True, 0.915)):
        held = 0
        for _ in range(800):
            joules: list[float] = []
            while True:
                joules.append(float(rng.normal(50.0, 4.0)))
                if len(joules) < 6 and not stops:
                    continue
                found = mean(*joules)
                if not stops or found.is_within(0.05) or len(joules) >= 30:
                    break
            held += found.energy.low_j <= 50.0 <= found.energy.high_j
        assert held / 800 >= share


def test_the_number_of_runs_told_is_about_the_number_it_takes() -> None:
    rng = np.random.default_rng(4)
    reached = 0
    for _ in range(200):
        needed = mean(*rng.normal(50.0, 4.0, 12)).needed(0.04)
        assert needed
        reached += mean(*rng.normal(50.0, 4.0, needed)).scatter <= 0.04 * 1.25
    assert reached / 200 > 0.8


@pytest.mark.parametrize("deviation", [0.01, 0.04, 0.2, 0.9])
def test_no_fewer_runs_would_do(deviation: float) -> None:
    needed = runs_needed(deviation, 0.05)
    assert needed
    assert needed >= FEWEST
    assert t95(needed - 1) * deviation / math.sqrt(needed) <= 0.05
    assert needed == FEWEST or (t95(needed - 2) * deviation / math.sqrt(needed - 1) > 0.05)


def test_more_runs_than_anybody_makes_are_not_told() -> None:
    assert runs_needed(10.0, 0.05) is None


def test_short_runs_are_resolved_together(make_channel: MakeChannel) -> None:
    channel = make_channel(period_s=0.1)
    trace = Trace()
    trace.add(channel)
    trace.record([Reading(channel.key, i * 0.1, counter_j=5.0 * i) for i in range(100)])
    bills = [account(trace, [channel], [Phase(DECODE, i, i + 0.3)]) for i in (1.0, 3.0, 5.0, 7.0)]
    assert not bills[0].total().resolved
    few, enough = mean_of(bills[:3]), mean_of(bills)
    assert few
    assert not few.resolved
    assert enough
    assert enough.resolved
    (joined,) = join_bills(bills).lines
    assert joined.duration_s == pytest.approx(1.2)


# Plans, and what is said of them.


def test_a_plan_ends_with_its_number_or_when_it_is_known() -> None:
    assert not Plan(times=3).is_done(2, mean(10, 10))
    assert Plan(times=3).is_done(3, None)
    precise = Plan(precision=0.05, most=8)
    assert not precise.is_done(2, mean(10, 10))
    assert not precise.is_done(3, mean(10.0, 10.01, 10.02))
    assert precise.is_done(5, mean(10.0, 10.01, 10.02, 10.0, 10.01))
    assert not precise.is_done(5, mean(8.0, 10.0, 12.0, 9.0, 11.0))
    assert precise.is_done(8, mean(8.0, 10.0, 12.0))
    # Nothing is measured here, and never will be.
    assert precise.is_done(1, None)


@pytest.mark.parametrize(
    "fields",
    [{}, {"times": 2, "precision": 0.1}, {"times": 0}, {"precision": 0.0}, {"precision": 1.5},
     {"precision": 0.1, "most": 1}],
)  # fmt: skip
def test_a_plan_that_makes_no_sense_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Plan(**fields)  # type: ignore[arg-type]


def repeated(record: QueryRecord, plan: Plan, *joules: float, accuracy: float = 0.0) -> Repeated:
    records = tuple(replace(record, bill=bill(each, accuracy)) for each in joules)
    return Repeated("a", plan, None, records, mean_of([r.bill for r in records]), ended=True)


def test_what_repeating_cannot_reach_is_said(record: QueryRecord) -> None:
    found = repeated(record, Plan(precision=0.02), 10.0, 10.01, 10.02, 10.0, 10.01, accuracy=0.4)
    assert found.notes()[0].startswith(
        "Repeating cannot bring this to ±2.0 %: the sensors themselves may be off by ±40 %"
    )
    assert len(found.notes()) == 1


def test_what_more_runs_would_reach_is_said_with_their_number(record: QueryRecord) -> None:
    found = repeated(record, Plan(precision=0.05, most=3), 8.0, 10.0, 12.0)
    assert found.needed
    assert found.notes() == [
        f"After 3 runs what scatters is known to ±50 %; it would take {found.needed} runs in all."
    ]
    assert repeated(record, Plan(times=3), 10.0, 10.0, 10.0).notes() == []
    found = repeated(record, Plan(times=3), 8.0, 10.0, 12.0)
    assert found.notes() == [
        f"It would take {found.needed} runs in all to know what scatters to ±5.0 %."
    ]


def test_stopped_before_any_run_had_ended_says_so(record: QueryRecord) -> None:
    stopped = Repeated("a group", Plan(times=3), record, ended=True, stopped=True)
    assert repeat_report.lines(stopped) == [
        "Stopped before a run that counts had come to its end; there is no mean."
    ]


def test_answers_of_different_lengths_are_said(record: QueryRecord) -> None:
    found = repeated(record, Plan(times=2), 10.0, 11.0)
    longer = replace(found.records[1], tokens=Tokens(completion=99))
    assert "differ in length" in replace(found, records=(found.records[0], longer)).notes()[0]


def test_runs_are_laid_beside_a_stored_query(record: QueryRecord) -> None:
    stored = replace(record, bill=bill(20.0, 0.05))
    found = repeated(record, Plan(times=4), 10.0, 10.1, 9.9, 10.0, accuracy=0.05)
    compared = found.against([stored], is_same_machine=True)
    assert compared
    assert compared.verdict == "lower"
    near = found.against([replace(record, bill=bill(10.2, 0.05))], is_same_machine=True)
    assert near
    assert "cannot be told: −2.0 % (" in repeat_report.comparison_line(near)
    assert "more runs would settle it" in repeat_report.comparison_line(near).lower()
    assert repeated_json(found, near)["against"]["counts"] == [1, 4]
    several = found.against([stored] * 3, is_same_machine=True)
    assert several
    assert "less than the mean of its 3 stored runs: −50.0 %" in repeat_report.comparison_line(
        several
    )
    both = Bill((line(CPU, joules=10.0), line(GPU, joules=90.0)))
    assert found.against([replace(record, bill=both)], is_same_machine=True) is None
    earlier = replace(stored, bill=bill(20.0, method=METHOD - 1))
    assert found.against([earlier], is_same_machine=True) is None


def test_a_sum_begun_with_an_earlier_method_keeps_its_number() -> None:
    sampler = Sampler(sources=[])
    old = Bill((line(CPU),), METHOD - 1)
    assert Ledger(sampler, old).bill.method == METHOD - 1
    assert Ledger(sampler).bill.method == METHOD
    assert Ledger(sampler, Bill((), METHOD - 1)).bill.method == METHOD


@pytest.fixture
def record() -> QueryRecord:
    from tests.unit.builders import outcome, query_start

    start, end = query_start(), outcome()
    return QueryRecord(
        id="a", kind=start.kind, status=end.status, error="", started_at="2026-01-01T00:00:00Z",
        model=None, settings={}, system="", prompt=start.prompt, text=end.text,
        finish_reason="end", tokens=end.tokens, seconds=end.seconds, bill=end.bill,
        zone=start.zone,
    )  # fmt: skip


def test_half_a_normal_interval_is_what_t_tends_to() -> None:
    assert t95(10**6) == pytest.approx(Z95, rel=1e-3)
    # Tabled quantiles.
    for freedom, quantile in ((1, 12.706), (2, 4.303), (3, 3.182), (9, 2.262), (29, 2.045)):
        assert t95(freedom) == pytest.approx(quantile, rel=2e-3)


def test_lines_keep_their_phase_when_runs_are_joined() -> None:
    one = Bill((line(CPU, "prefill"), line(CPU)))
    joined = join_bills([one, one])
    assert [each.phase for each in joined.lines] == ["prefill", "decode"]
    assert isinstance(joined.lines[0], Line)
    assert joined.total().joules == pytest.approx(2 * (one.total().joules or 0.0))
