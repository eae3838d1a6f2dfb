"""Where LlamaWatt keeps what it records."""

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """Return the data folder, made if need be: ``LLAMAWATT_HOME`` or the user's own.

    :raises OSError: if it cannot be made
    """
    named = os.environ.get("LLAMAWATT_HOME")
    folder = Path(named).expanduser() if named else Path(platformdirs.user_data_dir("llamawatt"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def database_path() -> Path:
    """Return the path of the one database."""
    return home() / "history.db"


def models_folder() -> Path:
    """Return the folder searched for GGUF files when no other is chosen."""
    return home() / "models"
