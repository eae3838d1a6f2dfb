"""The GPU that a model computes on where nothing here tells its power.

Some GPUs tell none: small laptop models, virtual ones, Arm boards, and a processor's own where the
processor is modelled, which is done without it. While a model's layers are on such a GPU it is a
part of every total that is not read, so that the total is known from below only.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.power.channel import Accuracy, Channel, Domain, Kind, Role

PERIOD_S = 1.0


@dataclass(frozen=True, slots=True)
class ComputedOn:
    """GPUs on which a model's layers are.

    :param names: what llama.cpp calls them, ``NVIDIA GeForce MX150``
    :param is_in_processor: whether they are the processor's own
    """

    names: tuple[str, ...]
    is_in_processor: bool


def unread_part(computed_on: ComputedOn, read: Iterable[Channel]) -> Channel | None:
    """Return the part that is missing; ``None`` where a channel covers these GPUs.

    Which of several GPUs a channel is of is not told apart: NVML and llama.cpp number them unlike.

    :param read: the channels in use, as they stand to each other
    """
    domains = {Domain.GPU, Domain.SOC}
    if computed_on.is_in_processor:
        domains.add(Domain.CPU)
    for channel in read:
        is_measured = channel.role is Role.PART and channel.kind is not Kind.MODELLED
        if is_measured and channel.domain in domains:
            return None
    return Channel(
        key="unread:gpu",
        label=f"GPU {', '.join(computed_on.names)} (tells no power)",
        domain=Domain.GPU,
        device="computed-on",
        kind=Kind.POWER,
        role=Role.PART,
        period_s=PERIOD_S,
        step_j=0.0,
        accuracy=Accuracy(0.0, 0.0, 0.0, "it is not read"),
    )
