"""What this llama.cpp build can compute on, and how much memory is free there now."""

import ctypes

from llama_cpp import _ggml

from monitor.engine.messages import Device

DEVICE_KINDS = {0: "cpu", 1: "gpu", 2: "igpu", 3: "accelerator"}
"""enum ggml_backend_dev_type in ggml-backend.h."""


def list_devices() -> tuple[Device, ...]:
    """Ask llama.cpp for its devices; free memory changes, so it is asked anew before each load."""
    library = _ggml.libggml
    for name in ("name", "description"):
        getattr(library, f"ggml_backend_dev_{name}").restype = ctypes.c_char_p
    library.ggml_backend_dev_get.restype = ctypes.c_void_p
    library.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    devices = []
    for index in range(library.ggml_backend_dev_count()):
        device = ctypes.c_void_p(library.ggml_backend_dev_get(index))
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        library.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
        devices.append(
            Device(
                name=library.ggml_backend_dev_name(device).decode(),
                description=library.ggml_backend_dev_description(device).decode(),
                kind=DEVICE_KINDS.get(library.ggml_backend_dev_type(device), "other"),
                memory_bytes=total.value,
                # Where a backend cannot tell, both are zero.
                free_bytes=free.value if total.value else None,
            )
        )
    return tuple(devices)
