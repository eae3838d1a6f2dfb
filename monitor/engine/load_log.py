"""What llama.cpp's log tells of a load and nothing else does.

What is placed where, what the system refused and why a load failed are only logged; the lines are
those of llama.cpp's ``llama-model.cpp``, ``llama-mmap.cpp`` and ``llama-context.cpp``.
"""

import re
from dataclasses import dataclass

PLACED = "assigned to device"
"""A line of each layer holds this; of debugging level, so it must be kept on purpose."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the layers are, the output's among them.

    :param offloaded: on GPUs
    :param layers: all
    """

    offloaded: int
    layers: int


def placement(log: str) -> Placement | None:
    """Return where the layers of the last load really are; ``None`` if the log does not say.

    llama.cpp's line "offloaded n/m layers" only repeats what was asked for; it is what is left
    where a version tells no more.
    """
    devices = {int(n): name for n, name in re.findall(rf"layer\s+(\d+) {PLACED} (\w+)", log)}
    if devices:
        return Placement(sum(name != "CPU" for name in devices.values()), len(devices))
    told = re.findall(r"offloaded (\d+)/(\d+) layers", log)
    return Placement(int(told[-1][0]), int(told[-1][1])) if told else None


def offload_note(asked: int, placed: Placement | None, can_offload: bool) -> str:
    """Say how what was asked for differs from where the layers are; "" if it does not.

    :param asked: layers, -1 for as many as fit
    :param can_offload: whether the build of llama.cpp has a GPU to use
    """
    if placed is None or asked == 0:
        return ""
    wanted = placed.layers if asked < 0 else min(asked, placed.layers)
    if asked > 0 and not can_offload:
        return (
            f"{wanted} of {placed.layers} layers were to be on a GPU, but this llama.cpp cannot "
            "use one: all are computed by the processor."
        )
    if placed.offloaded >= wanted or not can_offload:
        return ""
    if asked < 0:
        return (
            f"{placed.offloaded} of {placed.layers} layers fit into the GPU's free memory; the "
            "others are computed by the processor. A smaller context leaves room for more."
        )
    return (
        f"{wanted} of {placed.layers} layers were to be on a GPU and {placed.offloaded} are; the "
        "others are computed by the processor."
    )


def lock_note(log: str) -> str:
    """Say that the system refused to lock the model in memory; "" if it did not."""
    if not re.search(r"failed to (mlock|VirtualLock)", log):
        return ""
    return (
        "The system did not allow all of the model to be locked in memory, so parts of it may "
        "still be swapped out. Raise the limit (on Linux “memlock” in "
        "/etc/security/limits.conf; `ulimit -l` shows it), or load without locking."
    )


def why_no_model(log: str) -> str:
    """Say why a model's weights were not loaded."""
    lack = re.findall(r".*(?:unable to allocate|out of memory|failed to allocate).*", log)
    if lack:
        return (
            f"There is not enough memory for the model's weights. llama.cpp said: "
            f"{lack[0].strip()}. Put fewer layers on the GPU, or choose a smaller model."
        )
    return (
        "llama.cpp could not load the model. It may be damaged, need more memory than is "
        "free, or be of an architecture newer than this llama-cpp-python; the log has "
        "llama.cpp's own words."
    )


def why_no_context(log: str, context: int) -> str:
    """Say why a loaded model got no context."""
    refusal = re.findall(r"llama_init_from_model: (.*(?:requires|does not divide|not supp).*)", log)
    if refusal:
        return (
            f"llama.cpp does not take these options for this model: {refusal[-1].strip()}. "
            "Load it with a 16-bit cache and automatic flash attention."
        )
    return (
        f"There is not enough memory for a context of {context} tokens. "
        "Load the model with a smaller one."
    )
