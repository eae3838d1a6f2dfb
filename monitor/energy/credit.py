"""What was saved by not processing again what the context held already.

It stands beside a bill and is never taken from it: nobody was billed for what was not computed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from monitor import figures
from monitor.energy.account import Total
from monitor.energy.difference import per
from monitor.energy.forecast import Fit
from monitor.energy.interval import Interval
from monitor.power.channel import Kind

LONG_ENOUGH = 64
"""Fresh tokens from which a prompt's own joules a token are those of a long one: a pass over the
weights costs the same for fewer."""


@dataclass(frozen=True, slots=True)
class Credit:
    """The joules that processing the reused tokens would have taken.

    :param reused_tokens: above zero
    :param energy: with its 95 % interval
    :param kind: where the joules a token came from
    :param is_own: whether they are those of this very prompt, else of earlier ones
    """

    reused_tokens: int
    energy: Interval
    kind: Kind
    is_own: bool


def credit_of(
    reused_tokens: int, fresh_tokens: int, prefill: Total, earlier: Fit | None
) -> Credit | None:
    """Reckon the credit: reused tokens times the joules of a fresh one.

    The joules a token are those of the query's own prefill if that was resolved and long enough,
    else those of earlier prompts. Tokens at the head of a context attend to fewer others than
    those behind them, so that of a very long context it is rather too much.

    :param reused_tokens: tokens of the prompt that were in the context already
    :param fresh_tokens: those that were not
    :param prefill: the bill of this query's prefill
    :param earlier: what earlier prompts took; see :func:`monitor.energy.forecast.fit`
    :return: ``None`` if nothing was reused, or nothing is known of what tokens take
    """
    if reused_tokens <= 0:
        return None
    if prefill.energy and prefill.kind and prefill.resolved and fresh_tokens >= LONG_ENOUGH:
        energy = per(prefill.energy, fresh_tokens / reused_tokens)
        return Credit(reused_tokens, energy, prefill.kind, is_own=True)
    if earlier is None or earlier.prompt_token_j <= 0:
        return None
    token_j = earlier.prompt_token_j
    energy = Interval(
        joules=token_j * reused_tokens,
        below_j=(token_j - earlier.prompt_low_j) * reused_tokens,
        above_j=(earlier.prompt_high_j - token_j) * reused_tokens,
        random_j=0.0,
    )
    return Credit(reused_tokens, energy, earlier.kind, is_own=False)


def credit_words(credit: Credit, translate: Callable[[str], str] = str) -> str:
    """Say it in one line.

    :param translate: for the window's language
    """
    saved = figures.marked(credit.kind, figures.energy(credit.energy.joules))
    words = translate("reused: %1 tokens, about %2 saved")
    return words.replace("%1", str(credit.reused_tokens)).replace(
        "%2", f"{saved} {figures.bounds(credit.energy)}"
    )
