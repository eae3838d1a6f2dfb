"""The command ``sensors test``: what each sensor is like on this machine."""

from dataclasses import asdict

import click
from rich.console import Group, RenderableType
from rich.text import Text

from monitor import figures
from monitor.commands.number_option import Seconds
from monitor.commands.progress import progress_bar
from monitor.commands.terminal import INTERRUPTED, ctrl_c, json_option, open_history, show, stderr
from monitor.power.selftest import SECONDS, Finding, Traits, Verdict, used_period_s
from monitor.sensor_testing import SensorTest
from monitor.sensor_words import learned_period, older_words
from monitor.store.sensor_traits import SensorTraits
from monitor.terminal.plain_table import make_table

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
    deserve; what a sensor's driver knows to be older than it looks stays as old. Wall plugs take no
    part.

    Example: llamawatt sensors test --seconds 60
    """
    test = SensorTest(seconds)
    with open_history() as history:
        with ctrl_c(test.cancel):
            findings = _run(test, is_told=not as_json)
        if test.is_cancelled:
            stderr.print("Stopped; nothing was kept.")
            raise SystemExit(INTERRUPTED)
        unanswered = UNANSWERED.format(names=", ".join(test.unanswered)) if test.unanswered else ""
        if not findings:
            raise click.ClickException(unanswered or NO_SENSOR)
        kept = SensorTraits(history.store).keep(finding.traits for finding in findings)
    documents = [
        {
            "label": finding.channel.label,
            **asdict(traits),
            "used_period_s": used_period_s(finding.channel, traits),
        }
        for finding, traits in zip(findings, kept, strict=True)
    ]
    document = {"sensors": documents, "unanswered": list(test.unanswered)}
    show(findings_view(findings, kept, unanswered), lambda: document, as_json)


def _run(test: SensorTest, is_told: bool) -> tuple[Finding, ...]:
    with progress_bar(is_told) as bar:
        task = bar.add_task("Looking at the sensors", total=1.0, note="")
        return test.run(lambda share: bar.update(task, completed=share))


def findings_view(
    findings: tuple[Finding, ...], kept: tuple[Traits, ...], unanswered: str
) -> RenderableType:
    """Draw what was found.

    :param kept: what is known now of the same channels, by this test or an earlier one
    """
    right = ("refresh", "step", "idle", "± spread")
    table = make_table("channel", *right, "", right=right)
    for finding, known in zip(findings, kept, strict=True):
        traits = finding.traits
        said = VERDICTS[traits.verdict], older_words(finding.channel, known)
        table.add_row(
            finding.channel.label,
            _refresh(finding, known),
            figures.energy(traits.step_j),
            figures.power(traits.idle_w),
            figures.power(traits.spread_w),
            "\n".join(filter(None, said)),
        )
    notes = [Text(unanswered, style="yellow")] if unanswered else []
    if all(finding.traits.idle_w is None for finding in findings):
        note = "Too short, or the machine was busy: what it draws idle was not learned."
        notes.append(Text(note, style="dim"))
    return Group(table, *notes)


def _refresh(finding: Finding, known: Traits) -> str:
    traits, how = finding.traits, ""
    if traits.period_s is None:
        traits, how = known, " (learned before)"
    if traits.period_s is None:
        return f"{figures.duration(finding.channel.period_s)} (documented)"
    return f"{learned_period(traits)}{how}"
