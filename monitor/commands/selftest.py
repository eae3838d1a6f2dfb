"""The command ``sensors test``: what each sensor is like on this machine."""

from dataclasses import asdict

import click
from rich.console import Group, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from monitor import figures
from monitor.commands.number_option import Seconds
from monitor.commands.terminal import INTERRUPTED, ctrl_c, json_option, open_history, show, stderr
from monitor.power.selftest import SECONDS, Finding, Verdict
from monitor.report import make_table
from monitor.sensor_testing import SensorTest
from monitor.store.sensor_traits import SensorTraits

NO_SENSOR = (
    "There is no sensor to test here: nothing measures power, it can only be modelled. "
    "`llamawatt sensors` shows what could measure, and what keeps it from that."
)

UNANSWERED = (
    "Not tested, because it did not answer within the time: {names}. `llamawatt sensors` says more."
)

HINT = (
    "`llamawatt sensors test` learns in a minute how often each sensor refreshes here, so that "
    "the intervals fit this machine."
)
"""For who has a sensor that was never tested; the window tests by itself."""

VERDICTS = {
    Verdict.FOUND: "",
    Verdict.FAST: "faster than it can be read",
    Verdict.STILL: "still: it never changed",
    Verdict.UNSURE: "changed too seldom or too irregularly to tell",
    Verdict.REFUSED: "a period was found that is not plausible; the documented one stays",
    Verdict.SILENT: "it told nothing",
}


@click.command("test")
@click.option(
    "--seconds",
    type=Seconds(1, 600),
    default=SECONDS,
    show_default=True,
    help="How long to look.",
)
@json_option
def test_sensors(seconds: float, as_json: bool) -> None:
    """Learn how often each sensor refreshes here, in what steps, and how quietly it rests.

    What is found makes the intervals of later bills narrower or wider, as this machine's sensors
    deserve. Wall plugs take no part.

    Example: llamawatt sensors test --seconds 60
    """
    test = SensorTest(seconds)
    with open_history() as history:
        with ctrl_c(test.cancel):
            findings = _run(test, is_told=not as_json and stderr.is_terminal)
        if test.is_cancelled:
            stderr.print("Stopped; nothing was kept.")
            raise SystemExit(INTERRUPTED)
        unanswered = UNANSWERED.format(names=", ".join(test.unanswered)) if test.unanswered else ""
        if not findings:
            raise click.ClickException(unanswered or NO_SENSOR)
        kept = SensorTraits(history.store).keep(finding.traits for finding in findings)
    documents = [
        {"label": finding.channel.label, **asdict(traits)}
        for finding, traits in zip(findings, kept, strict=True)
    ]
    document = {"sensors": documents, "unanswered": list(test.unanswered)}
    show(_view(findings, unanswered), lambda: document, as_json)


def _run(test: SensorTest, is_told: bool) -> tuple[Finding, ...]:
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %")
    with Progress(*columns, console=stderr, transient=True, disable=not is_told) as progress:
        task = progress.add_task("Looking at the sensors", total=1.0)
        return test.run(lambda share: progress.update(task, completed=share))


def _view(findings: tuple[Finding, ...], unanswered: str) -> RenderableType:
    right = ("refresh", "step", "idle", "± spread")
    table = make_table("channel", *right, "", right=right)
    for finding in findings:
        traits = finding.traits
        table.add_row(
            finding.channel.label,
            _refresh(finding),
            figures.energy(traits.step_j),
            figures.power(traits.idle_w),
            figures.power(traits.spread_w),
            VERDICTS[traits.verdict],
        )
    notes = [Text(unanswered, style="yellow")] if unanswered else []
    if all(finding.traits.idle_w is None for finding in findings):
        note = "Too short, or the machine was busy: what it draws idle was not learned."
        notes.append(Text(note, style="dim"))
    return Group(table, *notes)


def _refresh(finding: Finding) -> str:
    period_s, verdict = finding.traits.period_s, finding.traits.verdict
    if period_s is None:
        return f"{figures.duration(finding.channel.period_s)} (documented)"
    mark = "≤ " if verdict is Verdict.FAST else ""
    return f"{mark}{figures.duration(period_s)}"
