"""A power curve comes back from its blob within the stated steps, and the blob is small."""

import json
import lzma
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.energy.account import Phase
from monitor.power.curve import Curve, Gap
from monitor.store.curves import StoredTrace, decode_trace, encode_trace, thin_trace

TIME_STEP_S, ENERGY_STEP_J, POWER_STEP_W = 1e-4, 1e-3, 1e-2
HALF = 0.5 + 1e-6
START_S = 1_234_567.8


def curve(
    time_s: list[float], energy_j: list[float], power_w: list[float], gap: list[int]
) -> Curve:
    return Curve(np.array(time_s), np.array(energy_j), np.array(power_w), np.array(gap, np.uint8))


def assert_kept(kept: Curve, original: Curve) -> None:
    """Check times from the query's start and energies from the curve's own."""
    np.testing.assert_allclose(
        kept.time_s, original.time_s - START_S, rtol=0, atol=TIME_STEP_S * HALF
    )
    energy_j = original.energy_j - (original.energy_j[0] if len(original.energy_j) else 0)
    np.testing.assert_allclose(kept.energy_j, energy_j, rtol=0, atol=ENERGY_STEP_J * HALF)
    np.testing.assert_array_equal(np.isnan(kept.power_w), np.isnan(original.power_w))
    np.testing.assert_allclose(
        kept.power_w, original.power_w, rtol=0, atol=POWER_STEP_W * HALF, equal_nan=True
    )
    np.testing.assert_array_equal(kept.gap, original.gap)


def round_trip(*curves: Curve) -> list[Curve]:
    trace = StoredTrace({f"c:{n}": each for n, each in enumerate(curves)}, ())
    return list(decode_trace(encode_trace(trace, START_S)).curves.values())


def test_several_curves_of_different_lengths_come_back() -> None:
    curves = [
        curve(
            [START_S - 1, START_S + 0.10004, START_S + 0.2],
            [9000.0, 9003.12345, 9010.0],
            [math.nan, 31.2345, 68.76],
            [Gap.RESET, Gap.NONE, Gap.ASLEEP],
        ),
        curve([START_S], [0.0], [0.0], [Gap.NONE]),
        curve([], [], [], []),
    ]
    kept = round_trip(*curves)
    assert len(kept) == 3
    for one, original in zip(kept, curves, strict=True):
        assert_kept(one, original)


def test_names_and_phases_come_back_on_the_querys_clock() -> None:
    phases = (
        Phase("prefill", START_S, START_S + 0.25),
        Phase("decode", START_S + 0.25, START_S + 3),
    )
    key = "nvml:GPU-0 “ü”\n"
    trace = StoredTrace({key: curve([START_S], [1.0], [2.0], [0])}, phases)
    kept = decode_trace(encode_trace(trace, START_S))
    assert list(kept.curves) == [key]
    assert [phase.name for phase in kept.phases] == ["prefill", "decode"]
    spans = [edge for phase in kept.phases for edge in (phase.start_s, phase.end_s)]
    assert spans == pytest.approx([0, 0.25, 0.25, 3], abs=1e-6)


def test_a_trace_of_no_channels_comes_back() -> None:
    assert decode_trace(encode_trace(StoredTrace({}, ()), 0.0)) == StoredTrace({}, ())


def test_zero_watts_are_zero_and_not_a_gap() -> None:
    (kept,) = round_trip(curve([START_S, START_S + 1], [0, 0], [0.0, math.nan], [0, 0]))
    assert kept.power_w[0] == 0.0
    assert math.isnan(kept.power_w[1])


@pytest.mark.parametrize("gap", list(Gap))
def test_the_reason_of_a_gap_is_kept(gap: Gap) -> None:
    (kept,) = round_trip(curve([START_S], [0.0], [1.0], [gap]))
    assert Gap(kept.gap[0]) is gap


def test_a_day_at_a_kilowatt_does_not_wear_the_steps_out() -> None:
    time_s = START_S + np.arange(0.0, 86_400.0, 10.0)
    original = Curve(
        time_s, (time_s - START_S) * 1000 / 3, np.full(len(time_s), 1000 / 3),
        np.zeros(len(time_s), np.uint8),
    )  # fmt: skip
    assert_kept(round_trip(original)[0], original)


def test_long_pauses_between_readings_are_kept() -> None:
    original = curve(
        [START_S - 3600, START_S, START_S + 200_000], [0, 10, 2_000_000], [1, 2, 3], [0, 1, 1]
    )
    assert_kept(round_trip(original)[0], original)


def test_which_readings_were_told_by_watts_alone_is_kept() -> None:
    plain = curve([START_S, START_S + 1], [0, 1], [1.0, 1.0], [0, 0])
    sketched = np.array([False, True, True, False, True, False, False, True, False])
    time_s = START_S + np.arange(9.0)
    other = Curve(time_s, np.arange(9.0), np.ones(9), np.zeros(9, np.uint8), sketched)
    first, second, third = round_trip(plain, other, plain)
    assert first.sketched is None
    assert third.sketched is None
    np.testing.assert_array_equal(second.sketched, sketched)
    assert_kept(third, plain)


def test_a_curve_that_is_thinned_keeps_its_counts_and_what_was_between_at_the_ends() -> None:
    time_s = np.arange(0.0, 60.0, 0.1)
    is_count = (np.arange(len(time_s)) % 8 == 0) & ((time_s < 10.0) | (time_s > 12.5))
    whole = Curve(
        time_s, 50 * time_s, np.full(len(time_s), 50.0), np.zeros(len(time_s), np.uint8), ~is_count
    )
    thinned = thin_trace(StoredTrace({"c": whole}, (Phase("decode", 20.0, 40.0),)), 1.0).curves["c"]
    assert 60 <= len(thinned.time_s) < 80
    assert thinned.sketched is not None
    counted_s = thinned.time_s[~thinned.sketched]
    np.testing.assert_array_equal(counted_s, np.intersect1d(thinned.time_s, time_s[is_count]))
    # Where it was asked in each second, and no phase begins or ends.
    assert not thinned.sketched[(thinned.time_s > 1.0) & (thinned.time_s < 10.0)].any()
    assert thinned.sketched[(thinned.time_s > 10.0) & (thinned.time_s < 12.5)].sum() == 2
    assert thinned.sketched[np.abs(thinned.time_s - 20.0) < 0.25].any()
    np.testing.assert_allclose(thinned.energy_j, 50 * thinned.time_s)


@given(
    st.lists(
        st.tuples(
            st.floats(0.0002, 5), st.floats(0, 1e4), st.floats(0, 5e3) | st.just(math.nan),
            st.integers(0, 5),
        ),
        max_size=40,
    )
)  # fmt: skip
def test_any_curve_comes_back_within_the_steps(rows: list[tuple[float, float, float, int]]) -> None:
    steps_s, steps_j, power_w, gap = ([row[i] for row in rows] for i in range(4))
    original = Curve(
        START_S + np.cumsum(steps_s), np.cumsum(steps_j), np.array(power_w, float),
        np.array(gap, np.uint8),
    )  # fmt: skip
    assert_kept(round_trip(original)[0], original)


def test_a_blob_of_a_later_version_is_refused_in_a_sentence() -> None:
    blob = encode_trace(StoredTrace({}, ()), 0.0)
    header = json.loads(lzma.decompress(blob).partition(b"\n")[0])
    later = lzma.compress(json.dumps(header | {"version": header["version"] + 1}).encode() + b"\n")
    with pytest.raises(ValueError, match="later LlamaWatt"):
        decode_trace(later)


def noisy_minute() -> StoredTrace:
    """Return a minute at 10 Hz: two sources of four channels each, read with some jitter.

    Power around 60 W with 1 W of noise; half the channels count joules (their watts are the
    difference of two readings), half give watts (their joules are the trapezium's).
    """
    source = np.random.default_rng(7)
    curves = {}
    for driver in ("rapl", "nvml"):
        time_s = START_S + np.sort(np.arange(600) / 10 + source.normal(0, 0.001, 600))
        for number in range(4):
            power_w = 60 + source.normal(0, 1, 600)
            steps_s = np.diff(time_s)
            if driver == "rapl":
                steps_j = power_w[1:] * steps_s
                power_w[0] = np.nan
            else:
                steps_j = (power_w[1:] + power_w[:-1]) / 2 * steps_s
            energy_j = 5e4 + np.concatenate([[0], np.cumsum(steps_j)])
            gap = np.zeros(600, np.uint8)
            curves[f"{driver}:{number}"] = Curve(time_s, energy_j, power_w, gap)
    return StoredTrace(curves, (Phase("prefill", START_S, START_S + 60),))


def test_a_minute_of_eight_noisy_channels_takes_no_more_than_12_kb() -> None:
    trace = noisy_minute()
    blob = encode_trace(trace, START_S)
    kept = decode_trace(blob)
    for key, original in trace.curves.items():
        assert_kept(kept.curves[key], original)
    assert len(blob) <= 12_000
