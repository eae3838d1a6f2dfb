"""How the Sensors page names what it shows."""

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QCoreApplication

from desktop.theme.bill import when_words
from monitor import figures
from monitor.power.channel import Accuracy, Channel, Domain, Kind, Role
from monitor.power.gauge import Quantity
from monitor.power.selftest import Traits, Verdict, fits, used_period_s
from monitor.power.sources.plug import PREFIX
from monitor.sensor_words import is_older, learned_period, older_words

translate = QCoreApplication.translate


def domain_name(domain: Domain) -> str:
    """Name a domain as it stands in the sum."""
    return {
        Domain.CPU: translate("Sensors", "CPU"),
        Domain.DRAM: translate("Sensors", "DRAM"),
        Domain.GPU: translate("Sensors", "GPU"),
        Domain.SOC: translate("Sensors", "SoC"),
        Domain.SYSTEM: translate("Sensors", "Others"),
    }[domain]


def kind_name(kind: Kind) -> str:
    """Say in a word where watts come from, after their mark."""
    word = {
        Kind.COUNTER: translate("Sensors", "counted"),
        Kind.POWER: translate("Sensors", "integrated"),
        Kind.MODELLED: translate("Sensors", "modelled"),
    }[kind]
    return f"{figures.MARKS[kind]} {word}"


def watts_words(channel: Channel, power_w: float | None) -> str:
    """Write a channel's watts now; that they were not read is said in words."""
    if power_w is None:
        return translate("Sensors", "not read")
    return figures.marked(channel.kind, figures.power(power_w))


def kind_tip(kind: Kind) -> str:
    """Say in a sentence where watts come from."""
    return {
        Kind.COUNTER: translate(
            "Sensors", "The sensor counts energy itself: joules are the difference of two readings."
        ),
        Kind.POWER: translate(
            "Sensors", "The sensor tells watts: joules are their integral over time."
        ),
        Kind.MODELLED: translate(
            "Sensors", "No sensor: watts are computed from load and nominal figures."
        ),
    }[kind]


def role_name(role: Role) -> str:
    """Say how a channel relates to the total."""
    return {
        Role.PART: translate("Sensors", "added"),
        Role.INSIDE: translate("Sensors", "inside, not added"),
        Role.WHOLE: translate("Sensors", "cross-check, not added"),
    }[role]


def doubt(accuracy: Accuracy) -> str:
    """Write how far the truth may lie from a reading."""
    if accuracy.below == accuracy.above:
        ends = f"±{figures.percent(accuracy.below)}"
    else:
        ends = f"−{figures.percent(accuracy.below)} +{figures.percent(accuracy.above)}"
    return f"{ends} ±{accuracy.offset_w:g} W" if accuracy.offset_w else ends


def refresh(channel: Channel, traits: Traits | None) -> str:
    """Write how often a sensor refreshes, and how that is known."""
    if channel.kind is Kind.MODELLED:
        return translate("Sensors", "computed")
    if traits is None or not fits(channel, traits):
        return figures.duration(channel.period_s)
    if traits.verdict is Verdict.STILL:
        return translate("Sensors", "stood still")
    if traits.period_s is None:
        return figures.duration(channel.period_s)
    if is_older(channel, traits):
        is_mean = channel.kind is Kind.POWER
        how = translate("Sensors", "mean") if is_mean else translate("Sensors", "seen")
        return f"{figures.duration(used_period_s(channel, traits))} {how}"
    return f"{learned_period(traits)} " + translate("Sensors", "learned")


def refresh_tip(channel: Channel, traits: Traits | None) -> str:
    """Say what was learned of a sensor, and when."""
    if channel.kind is Kind.MODELLED:
        return translate("Sensors", "There is no sensor that could refresh.")
    if traits is None or not fits(channel, traits):
        return translate("Sensors", "As documented. “Test the sensors” learns it on this machine.")
    told = {
        Verdict.FOUND: translate("Sensors", "Learned on this machine, %1."),
        Verdict.FAST: translate("Sensors", "Faster than it can be read, as was found %1."),
        Verdict.STILL: translate("Sensors", "It never changed while it was tested, %1."),
        Verdict.UNSURE: translate(
            "Sensors", "As documented: it changed too seldom or unevenly in the test, %1."
        ),
        Verdict.REFUSED: translate(
            "Sensors", "As documented: what the test found, %1, is not plausible."
        ),
        Verdict.SILENT: translate(
            "Sensors", "As documented: it told nothing while it was tested, %1."
        ),
    }[traits.verdict].replace("%1", when_words(traits.measured_at))
    if older := older_words(channel, traits, partial(translate, "Sensors")):
        told += " " + older
    if traits.step_j:
        told += " " + translate("Sensors", "Step %1.").replace(
            "%1", f"{figures.significant(traits.step_j * 1e6)} µJ"
        )
    if traits.idle_w is not None:
        idle = f"{figures.power(traits.idle_w)} ± {figures.power(traits.spread_w)}"
        told += " " + translate("Sensors", "At rest %1.").replace("%1", idle)
    return told


def quantity_name(quantity: Quantity) -> str:
    """Name what a gauge tells."""
    return {
        Quantity.UTILISATION: translate("Sensors", "In use"),
        Quantity.TEMPERATURE: translate("Sensors", "Temperature"),
        Quantity.CLOCK: translate("Sensors", "Clock"),
        Quantity.MEMORY: translate("Sensors", "Memory"),
        Quantity.THROTTLE: translate("Sensors", "Throttled"),
    }[quantity]


def source_title(source: str, channels: Sequence[Channel]) -> tuple[str, str]:
    """Return what a source is called, and what is to stand quietly beside that.

    A plug is called what a person calls it; its address stands beside.
    """
    if source.startswith(PREFIX):
        address = source.removeprefix(PREFIX)
        given = next((each.label for each in channels if each.key == source), "")
        if given and address not in given:
            return given, address
    return source_name(source), ""


def source_name(source: str) -> str:
    """Name a source for a person."""
    if source.startswith(PREFIX):
        return translate("Sensors", "Wall plug %1").replace("%1", source.removeprefix(PREFIX))
    names = {
        "rapl": translate("Sensors", "Processor's energy counters (RAPL)"),
        "nvml": translate("Sensors", "NVIDIA GPUs (NVML)"),
        "amdgpu": translate("Sensors", "AMD GPUs (amdgpu)"),
        "intelgpu": translate("Sensors", "Intel GPUs (i915, xe)"),
        "grace": translate("Sensors", "NVIDIA Grace processors"),
        "jetson": translate("Sensors", "NVIDIA Jetson boards"),
        "battery": translate("Sensors", "Battery"),
        "emi": translate("Sensors", "Windows energy meters (EMI)"),
        "apple": translate("Sensors", "Apple Silicon (IOReport)"),
        "model": translate("Sensors", "Model of the processor's power"),
        "own": translate("Sensors", "LlamaWatt's own cost"),
        "processor": translate("Sensors", "Load, temperature and clock of the processor"),
    }
    return names.get(source, source)
