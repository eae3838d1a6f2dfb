"""What training a model took, in words, and what it equals."""

from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.text import Text

from monitor import figures
from monitor.carbon.training import Comparison, Training, large_number

METHODS = {"entered": "entered", "card": "told by its card", "computed": "computed"}


def training_view(
    name: str, training: Training | None, compared: Comparison | None
) -> RenderableType:
    """Show a model's training with its source, and what it equals."""
    if training is None:
        return Text(f"{name}: training unknown")
    lines = [Text(f"{name}: {figures.mass(training.grams)} CO₂e ({training.source})")]
    lines.append(Text(method_words(training), style="dim"))
    if compared:
        lines += [Text(equals_words(compared)), Text(spread_words(compared), style="dim")]
    return Group(*lines)


def method_words(training: Training, translate: Callable[[str], str] = str) -> str:
    """Say how a figure came about, with the energy if that is known, and what it leaves open.

    :param translate: for the window's language
    """
    told = [translate(METHODS[training.method])]
    if training.energy_j is not None:
        told.insert(0, figures.energy(training.energy_j))
    if training.note:
        told.append(translate(training.note))
    return ", ".join(told)


def equals_words(compared: Comparison, translate: Callable[[str], str] = str) -> str:
    """Say how many answers equal a training.

    :param translate: for the window's language
    """
    words = translate("As much as about %1 of your answers")
    return words.replace("%1", large_number(compared.count))


def spread_words(compared: Comparison, translate: Callable[[str], str] = str) -> str:
    """Say how sure that is, and what it was reckoned from.

    :param translate: for the window's language
    """
    amount = figures.energy if compared.by_energy else figures.mass
    mean = figures.marked(compared.kind, amount(compared.mean))
    if compared.high is None:
        spread = translate("%1 or more, as your answers differ")
    else:
        spread = translate("Between %1 and %2, as your answers differ")
        spread = spread.replace("%2", large_number(compared.high))
    spread = spread.replace("%1", large_number(compared.low))
    words = (
        translate("1 answer, %2")
        if compared.answers == 1
        else translate("%1 answers, %2 on average")
    )
    of = words.replace("%1", f"{compared.answers:,}").replace("%2", mean)
    return f"{spread} ({of})"
