"""Where the kernel's device files are, and how they are read."""

import os
from pathlib import Path

LONGEST = 4_096
"""Bytes of a file that are read: an attribute has a page at most (the kernel's
Documentation/filesystems/sysfs.rst)."""


def sysfs_root() -> Path:
    """Return ``/sys``, or the folder named by ``LLAMAWATT_SYSFS``."""
    return Path(os.environ.get("LLAMAWATT_SYSFS") or "/sys")


def has_sysfs() -> bool:
    """Whether this system describes its devices in files: Linux alone does."""
    return sysfs_root().is_dir()


def read_text(path: Path) -> str | None:
    """Return a small file's text without white space at its ends, ``None`` if unreadable."""
    try:
        # Bare system calls: a file object costs twice as much, and some are read every tick.
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.read(file, LONGEST).decode("utf-8", "replace").strip()
    except OSError:
        return None
    finally:
        os.close(file)


def read_int(path: Path) -> int | None:
    """Return the whole number in a small file, ``None`` if it is unreadable or something else."""
    text = read_text(path)
    try:
        return int(text) if text else None
    except ValueError:
        return None


def own_supplies() -> list[Path]:
    """Return the machine's own power supplies: not the batteries of mice and headsets."""
    folders = sorted((sysfs_root() / "class/power_supply").glob("*"))
    return [folder for folder in folders if read_text(folder / "scope") != "Device"]
