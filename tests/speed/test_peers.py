"""Our error against CodeCarbon's and Zeus's, on one fake machine at the same time.

Run with ``LLAMAWATT_PEERS=/path/to/venv/bin/python pytest tests/speed/test_peers.py -m speed -n 0
-s``, where that interpreter is of an environment with codecarbon, zeus and nvidia-ml-py; skipped
without. It prints the table of the README. A run takes three minutes; ``LLAMAWATT_PEERS_RUNS`` says
how many there are, each with a script of its own.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.hardware.nvml import find_compiler
from tests.speed.peers.machine import machine
from tests.speed.peers.results import Board
from tests.speed.peers.session import CODECARBON_S, OURS_S, watch

PEERS = os.environ.get("LLAMAWATT_PEERS", "")
RUNS = int(os.environ.get("LLAMAWATT_PEERS_RUNS", "3"))

pytestmark = [pytest.mark.speed, pytest.mark.timeout(300 * RUNS)]

VERSIONS = """
from importlib.metadata import version
import codecarbon, zeus.monitor
print(f"CodeCarbon {version('codecarbon')};Zeus {version('zeus')}")
"""

TASKS_AND_RUNS = ["codecarbon", *(f"codecarbon every {every_s:g} s" for every_s in CODECARBON_S)]


@pytest.fixture(scope="module")
def names() -> list[str]:
    """The peers with their versions."""
    if not PEERS:
        pytest.skip("LLAMAWATT_PEERS names no interpreter of an environment with the peers")
    if find_compiler() is None:
        pytest.skip("there is no C compiler to build the fake NVML with")
    done = subprocess.run([PEERS, "-c", VERSIONS], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the peers are not installed: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout.strip().splitlines()[-1].split(";")


def test_our_error_is_the_smallest(names: list[str], tmp_path: Path) -> None:
    board = Board()
    for run in range(RUNS):
        made, folder = machine(seed=run), tmp_path / str(run)
        folder.mkdir()
        board.add(made, watch(made, PEERS, folder))
    codecarbon, zeus = names
    ours = {f"LlamaWatt, {1 / every_s:g} Hz": [reader] for reader, every_s in OURS_S.items()}
    print(f"\n{board.table(ours | {codecarbon: TASKS_AND_RUNS, zeus: ['zeus']})}")
    unread = {name for name, row in board.scores.items() if row["ours"].failures}
    assert not unread
    for peer in [*TASKS_AND_RUNS, "zeus"]:
        assert not board.worse("ours", peer), peer
