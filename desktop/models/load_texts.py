"""What is said of the ways a model can be loaded."""

from PySide6.QtCore import QCoreApplication

from monitor.engine.messages import F16, MLOCK, MMAP
from monitor.loading import DEFAULT_CONTEXT, Remedy


def remedy_text(remedy: Remedy) -> str:
    """Return the words of a button that tries a way out of a failed load."""
    tokens = remedy.options.context or DEFAULT_CONTEXT
    texts = {
        "again": translate("Try again"),
        "cpu": translate("Try on the CPU"),
        "context": translate("Try with %1 context"),
        "kv_type": translate("Try with 8-bit keys and values"),
        "f16": translate("Try with 16-bit keys and values"),
        "flash_attention": translate("Try with flash attention"),
        "no_mlock": translate("Try without locking it in memory"),
    }
    short = f"{tokens // 1024}k" if tokens % 1024 == 0 else f"{tokens:,}"
    return texts[remedy.kind].replace("%1", short)


def about_kv_type(kv_type: str) -> str:
    """Say what a way of keeping keys and values means."""
    return {
        F16: translate("The context is kept as precisely as usual."),
        "q8_0": translate("About half the memory; answers hardly change."),
        "q4_0": translate("Little more than a quarter of the memory; answers may suffer."),
    }[kv_type]


def about_memory_map(memory_map: str) -> str:
    """Say what a way of having the weights in memory means."""
    return {
        MMAP: translate("Loads fast, and the system may take the memory back in need."),
        MLOCK: translate("Never swapped out. Whether the system allows it is said after loading."),
        "none": translate("Loads slower; the file is not needed any more afterwards."),
    }[memory_map]


def translate(text: str) -> str:
    """Return a text in the language of the window."""
    return QCoreApplication.translate("LoadOptionsDialog", text)
