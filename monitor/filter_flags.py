"""The flags that narrow a command down to some queries, and a filter written with them."""

import shlex

from monitor.store.filters import Filter

FLAGS = {
    "models": "--model",
    "quantisations": "--quantisation",
    "kinds": "--kind",
    "statuses": "--status",
    "machines": "--machine",
    "tags": "--tag",
    "since": "--since",
    "until": "--until",
    "text": "--text",
}
"""What each condition of a :class:`Filter` is called on a command line."""


def filter_arguments(chosen: Filter) -> str:
    """Write a filter as the options of a command, quoted for a shell."""
    words = []
    for name, flag in FLAGS.items():
        value = getattr(chosen, name)
        for each in value if isinstance(value, tuple) else (value,):
            if each:
                words += [flag, str(each)]
    return shlex.join(words)
