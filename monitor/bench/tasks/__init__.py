"""The benchmarks LlamaWatt knows: one file each, and a line here."""

from monitor.bench.task import DatasetError, Task
from monitor.bench.tasks.arc import ARC_CHALLENGE, ARC_EASY
from monitor.bench.tasks.custom import CUSTOM
from monitor.bench.tasks.gsm8k import GSM8K
from monitor.bench.tasks.hellaswag import HELLASWAG
from monitor.bench.tasks.mmlu import MMLU
from monitor.bench.tasks.truthfulqa import TRUTHFULQA_MC1, TRUTHFULQA_MC2
from monitor.bench.tasks.winogrande import WINOGRANDE

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        MMLU,
        ARC_EASY,
        ARC_CHALLENGE,
        HELLASWAG,
        TRUTHFULQA_MC1,
        TRUTHFULQA_MC2,
        WINOGRANDE,
        GSM8K,
        CUSTOM,
    )
}


def find_task(name: str) -> Task:
    """Return the task of a name.

    :raises DatasetError: if there is none, naming those there are
    """
    if name not in TASKS:
        raise DatasetError(f"There is no benchmark “{name}”. There are: {', '.join(TASKS)}.")
    return TASKS[name]
