"""Where LlamaWatt keeps what it records."""

import os
from pathlib import Path

import platformdirs

from monitor.problem import Problem

HOME_VARIABLE = "LLAMAWATT_HOME"


class NoDataFolder(Problem, OSError):
    """The data folder cannot be made; the message says where it should be, why, and what to do."""


def home() -> Path:
    """Return the data folder, made if need be: ``LLAMAWATT_HOME`` or the user's own.

    :raises NoDataFolder: if it cannot be made
    """
    named = os.environ.get(HOME_VARIABLE)
    folder = Path(named).expanduser() if named else Path(platformdirs.user_data_dir("llamawatt"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "a file is in its place" if isinstance(error, FileExistsError) else error.strerror
        raise NoDataFolder(
            f"The data folder {folder} cannot be made: {why}. Give another one with "
            f"{HOME_VARIABLE}."
        ) from error
    return folder


def database_path() -> Path:
    """Return the path of the one database."""
    return home() / "history.db"


def models_folder() -> Path:
    """Return the folder searched for GGUF files when no other is chosen."""
    return home() / "models"
