"""The command ``sensors mend``: what makes closed energy counters readable, shown and done."""

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from monitor.commands.terminal import echo_json, json_option, stderr, stdout
from monitor.power.channel import Probe, ProbeState
from monitor.power.deadline import within
from monitor.power.mend import (
    GROUP,
    READ_S,
    RULE_FILE,
    Mend,
    Outcome,
    OutcomeState,
    mend_for,
    rapl_mend,
    run,
)
from monitor.power.sources.rapl import Rapl
from monitor.terminal.copyable_text import CopyableText

WAYS = (
    "`llamawatt sensors mend --apply` asks, and then runs this as root through pkexec or sudo; "
    "`llamawatt sensors mend --undo` takes it back."
)

NOT_INSTALLED = (
    "No rule of LlamaWatt's is installed here. This closes the counters to all but root anyway, as "
    "after a mend that was broken off:"
)

HANGS = (
    "Look what the system's log says of their driver (`dmesg`), or restart the computer, which "
    "frees a driver that hangs; then try again."
)


@click.command()
@click.option("--apply", "is_apply", is_flag=True, help="Do it, after a question.")
@click.option("--undo", is_flag=True, help="Take it back, after a question.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def mend(is_apply: bool, undo: bool, yes: bool, as_json: bool) -> None:
    """Show how the processor's energy counters become readable, and do it if told to.

    Without --apply or --undo nothing is changed.

    Example: llamawatt sensors mend --apply
    """
    if is_apply and undo:
        raise click.UsageError("--apply and --undo are opposites; name one.")
    if sys.platform != "linux":
        raise click.ClickException("The processor's counters are mended on Linux only.")
    probe = _probe()
    found = rapl_mend() if undo else mend_for(probe)
    outcome = None
    if found and (is_apply or undo):
        _print_plan(stderr, found, undo)
        if not yes and not click.confirm("Run this as root?", err=True):
            stderr.print("Nothing was changed.")
            raise SystemExit(1)
        outcome = run(found, undo)
    if as_json:
        echo_json(mend_json(probe, found, outcome))
    else:
        _print(probe, found, outcome)
    is_unknown = is_apply and probe.state is ProbeState.SILENT
    if is_unknown or (outcome and outcome.state is not OutcomeState.DONE):
        raise SystemExit(1)


def _probe() -> Probe:
    try:
        return within(READ_S, _answer)
    except TimeoutError:
        told = (
            f"The processor's energy counters have not answered for {READ_S:g} s: reading them "
            "hangs, so that it is not known whether they are closed."
        )
        return Probe(Rapl.name, ProbeState.SILENT, told, HANGS)


def _answer() -> Probe:
    source = Rapl()
    try:
        return source.probe()
    finally:
        source.close()


def _print_plan(console: Console, found: Mend, undo: bool) -> None:
    """Show what root is about to run."""
    title = f"{found.title}. {found.why}"
    if undo:
        title = "Take it back:" if Path(RULE_FILE).exists() else NOT_INSTALLED
    console.print(Text(title))
    console.print()
    # As it is, whatever the terminal's width: it is to be copied.
    script = found.undo_script if undo else found.script
    console.print(Text(script), soft_wrap=True)


def _print(probe: Probe, found: Mend | None, outcome: Outcome | None) -> None:
    if outcome:
        stdout.print(Text(outcome.words), soft_wrap=True)
    elif found:
        stdout.print(CopyableText(probe.reason), crop=False)
        _print_plan(stdout, found, undo=False)
        stdout.print(CopyableText(WAYS, "dim"), crop=False)
    elif probe.mend:
        stdout.print(CopyableText(f"{probe.reason}\n{probe.mend}"), crop=False)
    else:
        is_fine = probe.state is ProbeState.AVAILABLE
        words = f"Nothing {'is to' if is_fine else 'can'} be mended. {probe.reason}"
        stdout.print(CopyableText(words), crop=False)


def mend_json(probe: Probe, found: Mend | None, outcome: Outcome | None) -> dict[str, Any]:
    """Return what is denied, what would be done about it, and what has been."""
    return {
        "source": probe.source,
        "state": str(probe.state),
        "reason": probe.reason,
        "mend": found
        and {
            "title": found.title,
            "why": found.why,
            "group": GROUP,
            "rule_file": RULE_FILE,
            "script": found.script,
            "undo_script": found.undo_script,
        },
        "outcome": outcome
        and {
            "state": str(outcome.state),
            "words": outcome.words,
            "works_now": outcome.works_now,
        },
    }
