"""A thousand model files, and what models took in a million queries.

Run with ``pytest tests/speed/test_library.py -m speed -n 0 -s``; the history takes four
minutes to make and three gigabytes of disk.
"""

import statistics
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from gguf import GGUFWriter

from monitor.models.library import scan
from monitor.models.places import Place
from monitor.store.heads import Heads
from monitor.store.history import History
from monitor.store.model_figures import read_model_figures
from tests.speed.million import write_history
from tests.unit.builders import write_gguf

pytestmark = [pytest.mark.speed, pytest.mark.timeout(900)]

FILES, QUERIES = 1000, 1_000_000

WARM_S, FIGURES_MS = 2.0, 100.0

VOCABULARY = 32_000
"""Words of each file: a small model's."""


def median_s(does: Callable[[], object], rounds: int = 5) -> float:
    taken = []
    for _ in range(rounds):
        start_s = time.perf_counter()
        does()
        taken.append(time.perf_counter() - start_s)
    return statistics.median(taken)


def test_a_thousand_files(tmp_path: Path) -> None:
    """Budget: 2 s when they have not changed since they were read."""
    folder = tmp_path / "models"

    def vocabulary(writer: GGUFWriter) -> None:
        writer.add_tokenizer_model("gpt2")
        writer.add_token_list([f"word{number}" for number in range(VOCABULARY)])

    first = write_gguf(tmp_path / "first.gguf", tokenizer=False, metadata=vocabulary)
    content = first.read_bytes()
    for number in range(FILES):
        path = folder / f"publisher{number % 40}" / f"model-{number}.gguf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with closing(History(tmp_path / "history.db")) as history:
        heads = Heads(history.store)

        def look() -> None:
            found = scan([Place(folder)], heads).models
            assert sum(model.info is not None for model in found) >= FILES

        cold_s = median_s(look, 1)
        history.store.write(lambda _db: None).result()
        warm_s = median_s(look)
    print(f"\n{FILES} files: first {cold_s:.2f} s, unchanged {warm_s:.3f} s")
    assert warm_s <= WARM_S


def test_figures_of_models_in_a_million_queries(tmp_path: Path) -> None:
    """Budget: 100 ms."""
    path = tmp_path / "history.db"
    write_history(path, QUERIES)
    with closing(History(path)) as history:
        found = read_model_figures(history.store, "desk")
        taken_ms = 1000 * median_s(lambda: read_model_figures(history.store, "desk"))
    assert len(found) > 5
    assert all(each.joules_per_token and each.tokens_per_s for each in found)
    print(f"\nfigures of {len(found)} models in {QUERIES:,} queries: {taken_ms:.1f} ms")
    assert taken_ms <= FIGURES_MS
