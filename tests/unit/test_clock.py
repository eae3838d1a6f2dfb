"""Lengths of time as a person writes them, and the options that take them."""

import click
import pytest
from click.testing import CliRunner

from monitor.clock import clock_seconds
from monitor.commands.number_option import Seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1:02", 62.0),
        ("0:05", 5.0),
        ("90:00", 5400.0),
        (" 1:02,5 ", 62.5),
        ("1:02:30", 3750.0),
        ("1:75", None),
        ("1:75:00", None),
        ("62", None),
        ("1:", None),
        ("-1:02", None),
    ],
)
def test_clock_is_read_as_it_is_written(text: str, seconds: float | None) -> None:
    assert clock_seconds(text) == seconds


@click.command()
@click.option("--seconds", type=Seconds(5, 600))
def wait(seconds: float) -> None:
    click.echo(seconds)


def test_an_option_takes_seconds_and_the_clock() -> None:
    assert CliRunner().invoke(wait, ["--seconds", "62"]).output == "62.0\n"
    assert CliRunner().invoke(wait, ["--seconds", "1:02"]).output == "62.0\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1:75", "write seconds (90), or 1:30 or 1:02:30"),
        ("11:00", "not in the range 5<=x<=600"),
        ("nan", "no number that can be reckoned with"),
    ],
)
def test_what_is_no_length_of_time_is_refused_with_what_would_be(text: str, why: str) -> None:
    refused = CliRunner().invoke(wait, ["--seconds", text])
    assert refused.exit_code == 2
    assert why in " ".join(refused.output.replace("│", " ").split())
