"""Sources of watts and their channels on a terminal."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from monitor import figures
from monitor.bill_words import LEGEND
from monitor.engine.messages import Hello
from monitor.power.channel import Channel, Probe, ProbeState
from monitor.terminal.copyable_text import CopyableText
from monitor.terminal.plain_table import make_table

STATE_STYLES = {
    ProbeState.AVAILABLE: "green",
    ProbeState.DENIED: "yellow",
    ProbeState.ABSENT: "dim",
    ProbeState.SILENT: "yellow",
}


def sensors_view(
    probes: Sequence[Probe],
    channels: Sequence[tuple[Channel, float | None]],
    hello: Hello | None,
    advice: str | None,
    hint: str = "",
) -> RenderableType:
    """Draw sources, channels, and what llama.cpp can compute on.

    :param advice: how to have llama.cpp use what is idle
    :param hint: what else a person may do about the channels
    """
    engine = "llama.cpp does not start."
    if hello:
        devices = ", ".join(f"{device.name} ({device.description})" for device in hello.devices)
        engine = f"llama-cpp-python {hello.llama_cpp} computes on {devices}."
    parts = [
        probes_view(probes), Text(), channels_table(channels), Text(LEGEND, style="dim"),
        *([CopyableText(hint, "dim")] if hint else []), Text(), Text(engine),
    ]  # fmt: skip
    return Group(*parts, *([CopyableText(advice, "yellow")] if advice else []))


def probes_view(probes: Sequence[Probe]) -> RenderableType:
    """Draw what each source said of itself, and how those are mended that can be."""
    table = make_table("source", "state", "why")
    for probe in probes:
        doubt = [CopyableText(probe.doubt, "yellow")] if probe.doubt else []
        table.add_row(
            escape(probe.source),
            Text(str(probe.state), style=STATE_STYLES[probe.state]),
            Group(CopyableText(probe.reason), *doubt),
        )
    # Below the table: in a column of it a command would be broken, and could not be pasted.
    mends = [
        part
        for probe in probes
        if probe.mend
        for part in (
            Text(),
            Text(f"How to mend {probe.source}:", style="yellow"),
            CopyableText(probe.mend),
        )
    ]
    return Group(table, *mends)


def channels_table(channels: Sequence[tuple[Channel, float | None]]) -> RenderableType:
    """Draw the channels in use with their present watts."""
    table = make_table("channel", "power now", "kind", "role", "key", right=("power now",))
    for channel, power_w in channels:
        table.add_row(
            escape(channel.label),
            figures.marked(channel.kind, figures.power(power_w)),
            figures.KIND_WORDS[channel.kind],
            str(channel.role),
            escape(channel.key),
        )
    return table
