"""The folders and files a person takes into the library, and takes out again.

Nothing is copied and nothing deleted: what is kept are paths, in the preferences.
"""

import os
from pathlib import Path

from monitor.engine.gguf import ModelFileError, read_model_info
from monitor.models.places import FILES_PREFERENCE, FOLDERS_PREFERENCE
from monitor.store.history import History


def add_path(history: History, path: Path) -> Path:
    """Take a folder, or a single model file, into the library.

    :return: the path as it is kept
    :raises ModelFileError: if it is not there, or a file that cannot be used
    """
    whole = _whole(path)
    if whole.is_dir():
        _remember(history, FOLDERS_PREFERENCE, whole)
    else:
        read_model_info(whole)
        _remember(history, FILES_PREFERENCE, whole)
    return whole


def remember_file(history: History, path: Path) -> None:
    """Keep a model file a person opened from elsewhere in the library."""
    _remember(history, FILES_PREFERENCE, path)


def forget_path(history: History, path: Path) -> Path:
    """Take a folder or file out of the library; it stays where it is on disk.

    :return: the path that was kept
    :raises ModelFileError: if it was not taken in by itself
    """
    wanted = {str(path), str(_whole(path))}
    folders = history.preference(FOLDERS_PREFERENCE, [])
    for key, kept in (
        (FOLDERS_PREFERENCE, folders),
        (FILES_PREFERENCE, history.preference(FILES_PREFERENCE, [])),
    ):
        for each in kept:
            if each in wanted:
                history.set_preference(key, [other for other in kept if other != each])
                return Path(each)
    inside = next((folder for folder in folders if _whole(path).is_relative_to(folder)), None)
    if inside:
        raise ModelFileError(
            f"{path} is listed because the folder {inside} is. Remove that, or move the file."
        )
    raise ModelFileError(
        f"{path} was not added to the library. `llamawatt models folders` shows what was, and "
        "whose folders are read beside it."
    )


def _whole(path: Path) -> Path:
    try:
        return Path(os.path.normpath(path.expanduser().absolute()))
    except RuntimeError:
        raise ModelFileError(f"{path} names the home folder of an unknown user.") from None


def _remember(history: History, key: str, path: Path) -> None:
    kept = history.preference(key, [])
    if str(path) not in kept:
        history.set_preference(key, [*kept, str(path)])
