"""Figures and pictures that ship with LlamaWatt; each names its source."""

from importlib.resources import files


def resource_text(name: str) -> str:
    """Return the text of a file in this folder.

    :raises FileNotFoundError: if there is none of that name
    """
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
