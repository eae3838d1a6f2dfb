"""Settings that a suite is run under in turn: crossed with its models, and told apart in words."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from monitor.loading import LoadOptions

KNOWN = tuple(field.name for field in fields(LoadOptions))


def crossed(
    options: Sequence[LoadOptions], settings: Sequence[Mapping[str, Any]]
) -> list[tuple[int, LoadOptions]]:
    """Return the options of every model under every setting, and the model's number.

    :param options: of each model; what a setting does not name stays as it is there
    :param settings: options by their names; with none the models enter as they are
    """
    return [
        (number, replace(each, **setting))
        for number, each in enumerate(options)
        for setting in settings or ({},)
    ]


def differing(options: Sequence[LoadOptions]) -> list[str]:
    """Return the names of the options in which some loads of one model differ."""
    return [name for name in KNOWN if len({getattr(each, name) for each in options}) > 1]


def told(options: LoadOptions, names: Sequence[str]) -> str:
    """Write some of a load's options: ``threads 2, context 1024``."""
    values = ((name.replace("_", " "), getattr(options, name)) for name in names)
    return ", ".join(f"{name} {'auto' if value is None else value}" for name, value in values)
