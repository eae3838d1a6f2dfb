"""Looking for the engine among this process's children, which are others' to wait for."""

import subprocess
import sys
import threading

from monitor.power.engine_process import WORKER, engine_process

# Its command line names the engine's module, as the engine's does.
WAITS = "import sys; sys.exit(int(sys.stdin.readline()))"


def test_the_engine_is_found_whichever_thread_began_it_and_its_end_is_left_to_be_told() -> None:
    begun: list[subprocess.Popen[bytes]] = []

    def begin() -> None:
        command = [sys.executable, "-c", WAITS, WORKER]
        begun.append(subprocess.Popen(command, stdin=subprocess.PIPE))

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()
    (process,) = begun
    found = engine_process()
    assert found
    assert found.pid == process.pid
    assert process.stdin
    process.stdin.write(b"3\n")
    process.stdin.close()
    while (found := engine_process()) and found.pid == process.pid:
        pass
    # It has ended and nobody has asked for its exit status yet.
    assert process.wait(timeout=30.0) == 3
    assert engine_process() is None
