"""What Ollama keeps: manifests that name blobs by their SHA-256.

``manifests/HOST/NAMESPACE/MODEL/TAG`` is JSON; its layer of type ``…image.model`` is the GGUF file
``blobs/sha256-…`` (package manifest of https://github.com/ollama/ollama).
"""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from monitor.engine.gguf import BLOB

log = logging.getLogger(__name__)

MODEL_LAYER = "application/vnd.ollama.image.model"

USUAL_HOST, USUAL_NAMESPACE = "registry.ollama.ai", "library"

Problem = Callable[[OSError], None]


def ollama_models(folder: Path, problem: Problem) -> Iterator[tuple[str, Path]]:
    """Go through the models Ollama has.

    :param folder: the one with ``manifests`` and ``blobs``
    :param problem: told what cannot be read
    :return: what Ollama calls each (``llama3.2:3b``), and its GGUF file
    """
    root = folder / "manifests"
    for manifest in _files(root, 4, problem):
        host, namespace, model, tag = manifest.relative_to(root).parts
        try:
            blob = _blob(manifest)
        except (FileNotFoundError, IsADirectoryError):
            continue
        except OSError as error:
            problem(error)
            continue
        if blob:
            yield _name(host, namespace, model, tag), folder / "blobs" / blob


def _files(folder: Path, depth: int, problem: Problem) -> Iterator[Path]:
    """What lies so many levels below; hidden files are no manifests."""
    try:
        inside = sorted(each for each in folder.iterdir() if not each.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        problem(error)
        return
    for each in inside:
        if depth > 1:
            yield from _files(each, depth - 1, problem)
        else:
            yield each


def _blob(manifest: Path) -> str:
    """Name of the blob with the weights, "" for a model that has none of this form."""
    try:
        layers = json.loads(manifest.read_bytes())["layers"]
        digests = [layer["digest"] for layer in layers if layer["mediaType"] == MODEL_LAYER]
    except (ValueError, LookupError, TypeError):
        log.info("%s is no manifest of Ollama", manifest)
        return ""
    names = [str(digest).replace(":", "-").lower() for digest in digests]
    # A name that is no hash could lead out of the folder.
    return next((name for name in names if BLOB.fullmatch(name)), "")


def _name(host: str, namespace: str, model: str, tag: str) -> str:
    if host != USUAL_HOST:
        return f"{host}/{namespace}/{model}:{tag}"
    return f"{model}:{tag}" if namespace == USUAL_NAMESPACE else f"{namespace}/{model}:{tag}"
