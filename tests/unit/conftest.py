"""What the unit tests share: channels to record into, and small still machines to read."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pynvml
import pytest
from hypothesis import settings

from monitor.power.channel import Accuracy, Channel, Domain, Kind, Role
from monitor.power.rapl import look
from monitor.power.sampler import LONGEST_WAIT_S
from tests.hardware.nvml import FakeGpu, load_in_process, write_script
from tests.hardware.sysfs import RaplZone, build_tree

# The same examples on every run: a failure must come from a change, not from luck.
settings.register_profile("unit", deadline=None, database=None, derandomize=True, max_examples=80)
settings.load_profile("unit")

EXACT = Accuracy(below=0.0, above=0.0, offset_w=0.0, source="a test")
DRIVER_NOT_LOADED = 9

MakeChannel = Callable[..., Channel]
StillSysfs = Callable[..., Path]
FakeGpus = Callable[..., float]
Eventually = Callable[..., None]


@pytest.fixture(scope="session")
def make_channel() -> MakeChannel:
    """Make a channel of which a test names only what matters to it."""

    def make(
        key: str = "test:one",
        *,
        kind: Kind = Kind.COUNTER,
        role: Role = Role.PART,
        domain: Domain = Domain.CPU,
        device: str = "package-0",
        period_s: float = 0.001,
        step_j: float = 0.0,
        accuracy: Accuracy = EXACT,
        range_j: float | None = None,
    ) -> Channel:
        return Channel(key, key, domain, device, kind, role, period_s, step_j, accuracy, range_j)

    return make


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Wait until something holds; fail after far longer than it should take."""

    def wait(holds: Callable[[], object], timeout_s: float = 30.0) -> None:
        until_s = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < until_s, "it did not happen in time"
            time.sleep(0.005)

    return wait


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let bills wait longer for the last readings: a busy machine's threads have late turns."""
    monkeypatch.setattr("monitor.power.sampler.WAIT_S", LONGEST_WAIT_S)


@pytest.fixture
def still_sysfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StillSysfs:
    """Lay out zones whose counters stand still, and let the sources read them as /sys.

    While it is looked which of them are dead, those that have counted at all go on by a
    microjoule at a time.
    """

    def build(*zones: RaplZone) -> Path:
        root = tmp_path / "sys"
        build_tree(root, zones)
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
        monkeypatch.setattr(look, "sleep", lambda _: _count_on(root))
        return root

    return build


def _count_on(root: Path) -> None:
    for counter in root.rglob("energy_uj"):
        # One that is closed is a link into the real /sys.
        text = "" if counter.is_symlink() else counter.read_text(encoding="ascii").strip()
        if text.isdigit() and int(text):
            counter.write_text(f"{int(text) + 1}\n", encoding="ascii")


@pytest.fixture(scope="session")
def _nvml_script(nvml_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Load the fake NVML for the rest of the process; without a script it says no driver."""
    script = tmp_path_factory.mktemp("nvml-script") / "script.txt"
    write_script(script, [], 0.0, DRIVER_NOT_LOADED)
    load_in_process(nvml_library / "libnvidia-ml.so.1", script)
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_DriverNotLoaded:
        return script
    pynvml.nvmlShutdown()
    pytest.skip("a real NVML is loaded in this process already")


@pytest.fixture
def fake_gpus(_nvml_script: Path) -> Iterator[FakeGpus]:
    """Put GPUs into this process's NVML from now on; returns their curves' time 0.

    Afterwards no driver is loaded, so that no other test sees them.
    """

    def put(gpus: Sequence[FakeGpu], init_error: int = 0, elapsed_s: float = 0.0) -> float:
        epoch_s = time.monotonic() - elapsed_s
        write_script(_nvml_script, gpus, epoch_s, init_error)
        return epoch_s

    yield put
    write_script(_nvml_script, [], 0.0, DRIVER_NOT_LOADED)
