"""Figures read well, carry their unit and kind, and never show what is unknown as zero."""

import math
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console, RenderableType

from monitor import figures, forms
from monitor.bill_words import headline, unread_notes
from monitor.carbon.intensity import Zone
from monitor.energy.account import WATCH, Bill
from monitor.energy.interval import Interval
from monitor.power.channel import Domain, Doubt, Kind, Probe, ProbeState
from monitor.power.mend import BY_HAND
from monitor.recording_forms import cost_view
from monitor.store.records import (
    ModelRecord,
    QueryRecord,
    QueryRow,
    Seconds,
    Status,
    Tokens,
)
from monitor.terminal.history_rows import rows_table
from monitor.terminal.record_view import bill_table, record_view
from monitor.terminal.sensors_view import probes_view, sensors_view
from tests.unit.builders import BILL, CPU, GPU, NOTHING_KNOWN, ZONE, line, silent

DASH = "—"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.00"),
        (1.005, "1.00"),  # 1.005 is stored as 1.00499…
        (9.994, "9.99"),
        (9.996, "10.0"),
        (99.94, "99.9"),
        (99.96, "100"),
        (999.4, "999"),
        (999.6, "1000"),
        (12345.0, "12300"),
        (0.09996, "0.100"),
        (0.0123456, "0.0123"),
        (-9.996, "-10.0"),
        (0.0, "0"),
        (math.nan, DASH),
        (math.inf, DASH),
    ],
)
def test_three_digits_count(value: float, text: str) -> None:
    assert figures.significant(value) == text


@pytest.mark.parametrize(
    ("joules", "text"),
    [
        (None, DASH),
        (0.0, "0 J"),
        (0.0000123, "0.0123 mJ"),
        (0.0123, "12.3 mJ"),
        (0.9994, "999 mJ"),
        (0.9996, "1.00 J"),
        (1.0, "1.00 J"),
        (9.996, "10.0 J"),
        (123.4, "123 J"),
        (1234.0, "1230 J"),
        (3598.0, "3600 J"),
        (3600.0, "1.00 Wh"),
        (36_000.0, "10.0 Wh"),
        (3.598e6, "999 Wh"),
        (3.599e6, "1.00 kWh"),
        (3.6e6, "1.00 kWh"),
        (1.234e9, "343 kWh"),
    ],
)
def test_energies(joules: float | None, text: str) -> None:
    assert figures.energy(joules) == text


@pytest.mark.parametrize(
    ("watts", "text"),
    [
        (None, DASH),
        (math.nan, DASH),
        (0.0, "0 W"),
        (1.16e-14, "0 W"),
        (-1.16e-14, "0 W"),
        (0.0000123, "0.0123 mW"),
        (0.0123, "12.3 mW"),
        (0.9996, "1.00 W"),
        (47.25, "47.2 W"),
        (999.6, "1.00 kW"),
        (1234.0, "1.23 kW"),
    ],
)
def test_powers(watts: float | None, text: str) -> None:
    assert figures.power(watts) == text


@pytest.mark.parametrize(
    ("low_w", "high_w", "of_w", "text"),
    [
        (11.96, 12.44, 12.2, "12.0–12.4 W"),
        (0.4, 1200.0, 900.0, "0.400–1200 W"),
        (0.0, 0.412, 0.0, "0–412 mW"),
        (1.16e-14, 3.0, 1.5, "0–3.00 W"),
        (0.0, 1.16e-14, 1.16e-14, "0–0 W"),
    ],
)
def test_the_ends_of_a_power_are_in_its_own_unit(
    low_w: float, high_w: float, of_w: float, text: str
) -> None:
    assert figures.power_span(low_w, high_w, of_w) == text


@pytest.mark.parametrize(
    ("g_per_kwh", "text"), [(472.94, "473"), (9.6, "10"), (9.4, "9.4"), (0.46, "0.46"), (0.0, "0")]
)
def test_a_small_intensity_is_not_nothing(g_per_kwh: float, text: str) -> None:
    assert figures.intensity(g_per_kwh) == text


@pytest.mark.parametrize(
    ("grams", "text"),
    [
        (None, DASH),
        (0.0, "0 g"),
        (0.0000005, "0.500 µg"),
        (0.000012, "12.0 µg"),
        (0.0012, "1.20 mg"),
        (0.9996, "1.00 g"),
        (0.8, "800 mg"),
        (1500.0, "1.50 kg"),
    ],
)
def test_masses(grams: float | None, text: str) -> None:
    assert figures.mass(grams) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, DASH),
        (0.0, "0 s"),
        (0.0123, "12.3 ms"),
        (0.9996, "1.00 s"),
        (59.9, "59.9 s"),
        (60.0, "1 min 00 s"),
        (61.4, "1 min 01 s"),
        (119.6, "2 min 00 s"),
        (3599.0, "59 min 59 s"),
        (3599.7, "1 h 00 min"),
        (7320.0, "2 h 02 min"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert figures.duration(seconds) == text


@pytest.mark.parametrize(
    ("tokens_per_s", "text"), [(None, DASH), (101.4, "101 t/s"), (9.996, "10.0 t/s")]
)
def test_rates(tokens_per_s: float | None, text: str) -> None:
    assert figures.rate(tokens_per_s) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (134_515_008, "135M"),
        (7_615_616_512, "7.62B"),
        (999_600_000, "1.00B"),
        (12_345, "12.3k"),
        (97, "97"),
        (999.6, "1.00k"),
        (0, "0"),
        (405_853_388_800, "406B"),
    ],
)
def test_counts(value: int, text: str) -> None:
    assert figures.count(value) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(98_300_000, "98.3 MB"), (4_920_000_000, "4.92 GB"), (512, "512 B"), (51, "51 B")],
)
def test_sizes(size_bytes: int, text: str) -> None:
    assert figures.size(size_bytes) == text


def test_one_thing_is_not_several() -> None:
    told = [figures.things(number, "row", "rows") for number in (0, 1, 1204)]
    assert told == ["0 rows", "1 row", "1,204 rows"]


def test_a_column_keeps_the_unit_of_its_header() -> None:
    assert figures.joules(0.925) == "0.925 J"
    assert figures.joules(None) == figures.grams(None) == DASH
    assert figures.grams(0.374) == "0.374 g"
    assert figures.span_in_joules(0.134, 1.44) == "0.134–1.44 J"
    assert figures.mass_span(0.0009, 0.0121, 0.0012) == "0.900–12.1 mg"


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (None, ""),
        (Interval(12.4, 0.6, 0.6, 0.0), "(11.8–13.0 J)"),
        (Interval(1.0, 0.5, 0.5, 0.0), "(0.500–1.50 J)"),
        (Interval(1.0, 5.0, 0.5, 0.0), "(0–1.50 J)"),
        (Interval(3600.0, 100.0, 100.0, 0.0), "(0.972–1.03 Wh)"),
        (Interval(10.0, 0.0, 0.0, 1.0), "(8.04–12.0 J)"),
        (Interval(1290.0, 897.0, 2922.0, 0.0), "(393–4210 J)"),
        (Interval(0.4, 0.39378, 0.96, 0.0), "(6.22–1360 mJ)"),
    ],
)
def test_intervals(interval: Interval | None, text: str) -> None:
    assert figures.bounds(interval) == text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.COUNTER, "● 1 J"),
        (Kind.POWER, "◐ 1 J"),
        (Kind.MODELLED, "○ 1 J"),
        (None, "1 J"),
    ],
)
def test_every_figure_carries_the_mark_of_its_kind(kind: Kind | None, text: str) -> None:
    assert figures.marked(kind, "1 J") == text


# --- on a terminal -----------------------------------------------------------------------


def printed(view: RenderableType | str, width: int = 200) -> str:
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(view, crop=False)
    return out.getvalue()


def record(bill: Bill = BILL, **changes: object) -> QueryRecord:
    """Return a query of six answer tokens."""
    known = QueryRecord(
        id="0198-abcd",
        kind="ask",
        status=Status.DONE,
        error="",
        started_at="2026-01-02T03:04:05.678+00:00",
        model=ModelRecord("tiny", "/models/tiny.gguf", "ab" * 32, "llama", 10**6, "Q4_K_M"),
        settings={},
        system="",
        prompt="What is a [bold]watt[/bold]?",
        text="A [red]joule[/red] a second.",
        finish_reason="end",
        tokens=Tokens(12, 3, 6, 0),
        seconds=Seconds(0.5, 0.1, 0.12, 1.7, 1.8),
        bill=bill,
        zone=ZONE,
    )
    return replace(known, **changes)


def test_the_headline_says_what_an_answer_cost() -> None:
    bill = Bill((line(CPU, "decode", 12.4),))
    assert headline(record(bill)) == (
        "● 12.4 J (11.6–13.4 J) · ● 2.07 J/token · 1.18 mg CO₂e (DEU 2024) · 3.53 t/s"
    )


def test_the_headline_of_an_unmeasured_answer_says_so_and_has_no_zero() -> None:
    text = headline(record(NOTHING_KNOWN))
    assert text.startswith("no energy was measured")
    assert " J" not in text
    assert "CO₂e" not in text


def test_the_headline_says_when_a_query_was_too_short() -> None:
    bill = Bill((line(CPU, "decode", 12.4, resolved=False),))
    assert "too short to resolve" in headline(record(bill))


def test_of_a_sensor_that_was_silent_it_is_not_said_that_it_was_too_short() -> None:
    cost = silent(replace(CPU, period_s=0.1)).cost(20.0, 50.0)
    assert not cost.bill.total().resolved
    told = headline(record(cost.bill))
    assert "a sensor was silent throughout" in told
    shown = printed(cost_view(cost))
    assert "CPU package 0 was silent throughout: what it drew is reckoned from" in shown
    assert "too short" not in (told + shown).casefold()
    both = Bill((*cost.bill.lines, line(GPU, WATCH, resolved=False)))
    assert "too short to resolve · a sensor was silent throughout" in headline(record(both))


def test_a_short_answer_between_two_readings_was_too_short() -> None:
    bill = silent(replace(CPU, period_s=0.1)).cost(20.0, 20.5).bill
    assert "too short to resolve" in headline(record(bill))
    assert "silent" not in headline(record(bill))


def test_a_bill_shows_each_channel_with_its_role_and_the_weakest_kind_of_all() -> None:
    rows = printed(bill_table(BILL)).splitlines()
    shown = {row.split("  ")[0].strip(): row for row in rows if row.strip()}
    assert "● 13.6 J" in shown["CPU package 0"]
    assert "◐ 44.0 J" in shown["GPU 0"]
    assert "CPU cores 0 (inside)" in shown
    assert "◐ 57.6 J" in shown["total of the parts"]
    assert "◐ 262 J" in shown["loading the model, beside it"]


def test_a_bill_shows_what_was_not_read_as_unknown() -> None:
    shown = printed(bill_table(Bill((line(CPU), line(GPU, joules=None)))))
    gpu, note = (row for row in shown.splitlines() if "GPU" in row)
    assert DASH in gpu
    assert "0 J" not in gpu
    assert note.strip() == "GPU 0 was not read: it was at least this."
    assert "≥ ● 12.4 J" in shown


def test_a_total_that_lacks_a_part_is_marked_wherever_it_is_shown() -> None:
    lacking = Bill((line(CPU), line(GPU, joules=None)))
    half = Bill((line(CPU), replace(line(GPU), coverage=0.5)))
    assert headline(record(bill=lacking)).startswith("≥ ● 12.4 J (")
    assert "GPU 0 was read for 50 % of the time" in printed(bill_table(half))
    told = headline(record(bill=lacking))
    assert "≥ ● 2.07 J/token" in told
    assert "≥ 1.18 mg CO₂e" in told
    assert "≥ 1.18 mg CO₂e at 344 g/kWh" in printed(record_view(record(bill=lacking)))
    assert forms.record_json(record(bill=lacking))["energy"]["is_lower_bound"] is True
    assert forms.record_json(record(bill=BILL))["energy"]["is_lower_bound"] is False
    assert "≥" not in headline(record(bill=Bill((line(CPU),))))
    assert headline(record(bill=Bill((line(CPU),)))).startswith("● 12.4 J (")
    assert unread_notes(Bill((line(CPU, joules=None),))) == []


@pytest.mark.parametrize(
    ("domain", "key", "lacks"),
    [
        (Domain.DRAM, "rapl:dram-0", False),
        # A socket's power leaves out memory in slots; a module's has it.
        (Domain.SOC, "amdgpu:0000:03:00.0", True),
        (Domain.SOC, "jetson:VDD_IN", False),
        (Domain.CPU, "rapl:package-1", True),
    ],
)
def test_a_bill_without_memory_in_it_says_so(domain: Domain, key: str, lacks: bool) -> None:
    other = replace(CPU, domain=domain, key=key)
    shown = printed(bill_table(Bill((line(CPU), line(other)))))
    assert ("Memory (DRAM) is not measured here" in shown) is lacks


def test_a_bill_that_was_never_made_does_not_say_what_is_not_measured() -> None:
    assert "Memory" not in printed(bill_table(Bill(())))


def test_a_query_without_emissions_says_why() -> None:
    caf = Zone("CAF", "Central African Republic", 2022, 0.0)
    shown = printed(record_view(record(zone=caf)))
    assert "not known: there is no figure of the grid of CAF" in shown
    shown = printed(record_view(record(NOTHING_KNOWN)))
    assert "not known: no energy was measured" in shown
    shown = printed(record_view(record(zone=None)))
    assert "not known: it was reckoned with no zone" in shown
    assert "emissions not known" not in " ".join(printed(record_view(record())).split())


def test_markup_in_questions_and_answers_is_shown_as_text() -> None:
    shown = printed(record_view(record()))
    assert "embodied" not in shown
    assert "12.0 mg" in printed(record_view(record(embodied_g=0.012)))
    assert "What is a [bold]watt[/bold]?" in shown
    assert "A [red]joule[/red] a second." in shown


def test_the_list_shows_how_each_query_ended() -> None:
    done = QueryRow(
        1_767_323_045_000, "0198-abcdefgh", "ask", Status.DONE, "2026-01-02T03:04:05", "tiny",
        "Q4_K_M",
        "a [b]question[/b]\nof two lines", 6, 1.7, 1.8, 12.4, 12.0, 13.0, Kind.COUNTER, True,
        0.001, 2.1, "", (),
    )  # fmt: skip
    lost = replace(done, status=Status.INTERRUPTED, energy_j=None, energy_kind=None, grams=None)
    lacking = replace(done, partly_read=True)
    first, second, third = printed(rows_table([done, lost, lacking], 140)).splitlines()[1:4]
    assert "≥ ● 12.4 J" in third
    assert "≥" not in first + second
    assert "abcdefgh" in first
    assert "2026-01-02 03:04" in first
    assert "● 12.4 J" in first
    assert "a [b]question[/b] of two lines" in first
    assert "[interrupted] a [b]question" in second
    assert DASH in second


def test_a_denied_sensor_shows_its_mend() -> None:
    probe = Probe("rapl", ProbeState.DENIED, "Only root may read it.", "sudo chmod a+r [file]")
    shown = printed(probes_view([probe]))
    assert "denied" in shown
    assert shown.endswith("How to mend rapl:\nsudo chmod a+r [file]\n")


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_command_to_be_pasted_is_whole_at_any_width(width: int) -> None:
    probe = Probe("rapl", ProbeState.DENIED, f"Or try `{'x ' * 9}x`, which helps.", BY_HAND)
    pip = "python -m pip install --no-deps llama-cpp-python --extra-index-url https://example.org/"
    view = sensors_view([probe], [], None, f"This computer has a GPU.\nInstall it:\n{pip}")
    lines = printed(view, width).splitlines()
    assert pip in lines
    (by_hand,) = [line for line in lines if line.startswith("sudo ")]
    assert by_hand in BY_HAND.splitlines()
    whole = "\n".join(lines)
    assert "`llamawatt sensors mend --apply`" in whole
    assert "`x x x x x x x x x x`" in whole or width == 40
    assert all(len(line.rstrip()) <= width for line in lines if line not in (pip, by_hand))


def test_a_doubtful_sensor_says_why() -> None:
    doubts = (Doubt("nvml:a", "GPU 0 [odd]: it counts half."), Doubt("nvml:b", "GPU 1 too."))
    probe = Probe("nvml", ProbeState.AVAILABLE, "Reading both.", doubts=doubts)
    assert "GPU 0 [odd]: it counts half. GPU 1 too." in printed(probes_view([probe]))
    told = forms.sensors_json([probe, replace(probe, doubts=())], [], None, None)["probes"]
    assert [each["doubt"] for each in told] == ["GPU 0 [odd]: it counts half. GPU 1 too.", ""]
