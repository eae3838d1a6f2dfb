"""The mend of closed counters: the script in a real shell, and how it is handed to root."""

import fnmatch
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.commands.sensors import sensors
from monitor.power.channel import Probe, ProbeState
from monitor.power.mend import (
    BY_HAND,
    GROUP,
    RULE,
    RULE_FILE,
    Mend,
    OutcomeState,
    helper,
    mend_for,
    rapl_mend,
    run,
)
from tests.hardware.curve import PowerCurve
from tests.hardware.sysfs import RaplZone, build_tree, can_deny

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="udev is Linux's")
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files to a group"
)
needs_denial = pytest.mark.skipif(not can_deny(), reason="root can read every file here")

PERSON = "ada"
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

Program = Callable[..., Path]


@pytest.fixture(name="program")
def _program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Put a program on a PATH on which neither pkexec, sudo nor udevadm is; it notes each call."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "mkdir", "chmod", "chgrp", "rm", "sed", "grep"):
        (folder / name).symlink_to(Path("/bin") / name)
    for name in ("groupadd", "usermod", "groupdel"):
        (folder / name).symlink_to(Path("/usr/sbin") / name)
    monkeypatch.setenv("PATH", str(folder))
    # As on a terminal that no window can be opened from.
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)

    def put(name: str, does: str = 'exec "$@"') -> Path:
        calls = tmp_path / f"{name}.calls"
        path = folder / name
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >> "{calls}"\n{does}\n')
        path.chmod(0o755)
        return calls

    return put


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a system with a person and three closed counters, for the script to work on."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/group").write_text("root:x:0:\nada:x:1000:\n")
    (root / "etc/passwd").write_text(f"{PERSON}:x:1000:1000::/home/{PERSON}:/bin/sh\n")
    zones = [("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "dram")]
    zones.append(("intel-rapl-mmio:0", "package-0"))
    build_tree(root / "sys", [RaplZone(*zone, PowerCurve.constant(9.0)) for zone in zones])
    for counter in counters(root):
        counter.chmod(0o400)
    monkeypatch.setenv("DESTDIR", str(root))
    return root


@pytest.fixture(name="closed")
def _closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the counters that the sources see be closed to this user, root or not."""
    root = tmp_path / "closed"
    zone = RaplZone("intel-rapl:0", "package-0", PowerCurve.constant(9.0), readable=False)
    build_tree(root, [zone])
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
    return root


def counters(root: Path) -> list[Path]:
    return sorted(root.glob("sys/class/powercap/intel-rapl*:*/energy_uj"))


def modes(root: Path) -> set[tuple[int, int]]:
    """Return the access and the group of every counter."""
    found = [counter.stat() for counter in counters(root)]
    assert len(found) == 3
    return {(stat.S_IMODE(status.st_mode), status.st_gid) for status in found}


def groups(root: Path) -> dict[str, tuple[int, list[str]]]:
    lines = (line.split(":") for line in (root / "etc/group").read_text().splitlines())
    return {name: (int(gid), members.split(",")) for name, _, gid, members in lines}


def files(root: Path) -> set[str]:
    """Return every file of the system but those that groups themselves are kept in."""
    found = (str(path.relative_to(root)) for path in (root / "etc").rglob("*") if path.is_file())
    return {name for name in found if not re.match(r"etc/(group|passwd|gshadow)", name)}


def shell(script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)


# The script.


@needs_root
@pytest.mark.parametrize("is_primary", [False, True], ids=["with a member", "somebody's own"])
def test_a_group_that_was_there_before_outlives_undoing(
    root: Path, program: Program, is_primary: bool
) -> None:
    program("udevadm", ":")
    with (root / "etc/group").open("a") as file:
        file.write(f"{GROUP}:x:555:bob\n")
    with (root / "etc/passwd").open("a") as file:
        file.write(f"bob:x:1001:{555 if is_primary else 1001}::/home/bob:/bin/sh\n")
    mend = rapl_mend(PERSON)
    for _ in range(2):
        assert shell(mend.script).returncode == 0
        assert groups(root)[GROUP] == (555, ["bob", PERSON])
    for _ in range(2):
        assert shell(mend.undo_script).returncode == 0
        assert groups(root)[GROUP][0] == 555
        assert "bob" in groups(root)[GROUP][1]
        assert modes(root) == {(0o400, 0)}
    assert not files(root)


@needs_root
def test_a_person_of_a_directory_is_put_into_the_group_by_gpasswd(
    root: Path, program: Program
) -> None:
    program("udevadm", ":")
    # No such person in the system's own list, as usermod says.
    person = "eve@corp.example"
    before = groups(root)
    failed = shell(rapl_mend(person).script)
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1] == (
        f"{person} cannot be put into the group {GROUP}; nothing was changed."
    )
    assert (groups(root), files(root), modes(root)) == (before, set(), {(0o400, 0)})

    calls = program("gpasswd", f'[ "$3 $4 $5" = "-a {person} {GROUP}" ]')
    assert shell(rapl_mend(person).script).returncode == 0
    assert calls.exists()
    assert modes(root) == {(0o440, groups(root)[GROUP][0])}


@needs_root
def test_a_counter_that_all_could_read_is_closed_to_others(root: Path, program: Program) -> None:
    program("udevadm", ":")
    for counter in counters(root):
        counter.chmod(0o444)
    assert shell(rapl_mend(PERSON).script).returncode == 0
    assert modes(root) == {(0o440, groups(root)[GROUP][0])}
    assert "o-rwx" in RULE, "at the next start as well"


@needs_root
def test_the_script_opens_the_counters_to_one_group_and_undoing_closes_them(
    root: Path, program: Program
) -> None:
    calls = program("udevadm", ":")
    mend = rapl_mend(PERSON)
    before = (files(root), groups(root), modes(root))
    for _ in range(2):  # Once more changes nothing.
        assert shell(mend.script).returncode == 0
        gid, members = groups(root)[GROUP]
        assert members == [PERSON]
        assert modes(root) == {(0o440, gid)}
        assert files(root) == {RULE_FILE[1:]}
        rule = root / RULE_FILE[1:]
        assert stat.S_IMODE(rule.stat().st_mode) == 0o644
        assert [line for line in rule.read_text().splitlines() if line[0] != "#"] == [RULE]
    for _ in range(2):
        assert shell(mend.undo_script).returncode == 0
        assert (files(root), groups(root), modes(root)) == before
    assert calls.read_text().splitlines() == ["control"] * 4


@needs_root
def test_the_rule_opens_a_zone_that_appears_later(root: Path, program: Program) -> None:
    program("udevadm", ":")
    assert shell(rapl_mend(PERSON).script).returncode == 0
    rule = (root / RULE_FILE[1:]).read_text()
    (kernel,) = re.findall(r'KERNEL=="([^"]+)"', rule)
    for name in ("intel-rapl:0", "intel-rapl:1:2", "intel-rapl-mmio:0"):
        assert fnmatch.fnmatchcase(name, kernel)
    assert not fnmatch.fnmatchcase("intel-rapl", kernel)
    # As udev runs it for the zone of a driver that is loaded again (%p is its path in /sys).
    zone = root / "sys/class/powercap/intel-rapl:0"
    os.chown(zone / "energy_uj", 0, 0)
    (zone / "energy_uj").chmod(0o400)
    gid, _ = groups(root)[GROUP]
    commands = re.findall(r'RUN\+="([^"]+)"', rule)
    assert len(commands) == 2
    for command in commands:
        words = command.replace("/sys%p", str(zone)).replace(GROUP, str(gid), 1).split()
        subprocess.run(words, check=True)
    assert modes(root) == {(0o440, gid)}


@needs_root
def test_without_udev_nothing_is_changed(root: Path, program: Program) -> None:
    before = (files(root), groups(root), modes(root))
    ended = shell(rapl_mend(PERSON).script)
    assert ended.returncode == 1
    assert "no udev here" in ended.stderr
    assert (files(root), groups(root), modes(root)) == before


def test_a_name_is_never_taken_for_a_command(tmp_path: Path) -> None:
    script = rapl_mend(f"x; touch {tmp_path}/harm").script
    assert f"'x; touch {tmp_path}/harm'" in script
    assert shell(f"set -n\n{script}").returncode == 0


def test_nothing_is_ever_opened_to_everyone() -> None:
    mend = rapl_mend(PERSON)
    rights = re.findall(r"chmod (\S+) (\S+)", "\n".join([BY_HAND, mend.script, mend.undo_script]))
    assert len(rights) >= 5
    assert {right for right, what in rights if "rules" not in what} == {"g+r,o-rwx", "g-r"}


def test_the_side_channel_is_told_of_before_anything_is_done() -> None:
    assert "CVE-2020-8694" in rapl_mend("a").why
    assert GROUP in rapl_mend("a").why


def test_only_closed_counters_have_this_mend() -> None:
    denied = Probe("rapl", ProbeState.DENIED, "Closed.", BY_HAND)
    assert isinstance(mend_for(denied), Mend)
    for other in (
        Probe("rapl", ProbeState.AVAILABLE, "Readable."),
        Probe("rapl", ProbeState.DENIED, "Hidden.", "Leave the container."),
        Probe("nvml", ProbeState.DENIED, "No driver.", "Install it."),
    ):
        assert mend_for(other) is None


# How it is handed to root.


@needs_root
@pytest.mark.parametrize("name", ["pkexec", "sudo"])
def test_root_runs_what_was_shown(root: Path, closed: Path, program: Program, name: str) -> None:
    program("udevadm", ":")
    first = program(name, 'test "$1" = -n && shift; exec "$@"')
    mend = rapl_mend(PERSON)
    outcome = run(mend)
    assert outcome.state is OutcomeState.DONE
    assert not outcome.works_now
    assert "logged out and in again" in outcome.words
    assert files(root) == {RULE_FILE[1:]}
    # sudo has no terminal to ask on here, and must not wait for one.
    assert first.read_text().split() == ["-n" if name == "sudo" else "/bin/sh"]
    undone = run(mend, undo=True)
    assert undone.state is OutcomeState.DONE
    assert "Undone" in undone.words
    assert files(root) == set()


@needs_root
def test_counters_that_can_be_read_at_once_are_said_to_be(
    root: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("udevadm", ":")
    program("sudo", 'shift; exec "$@"')
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root / "sys"))
    outcome = run(rapl_mend(PERSON))
    assert (outcome.state, outcome.works_now) == (OutcomeState.DONE, True)
    assert "can be read now" in outcome.words


@pytest.mark.parametrize(
    ("name", "does", "state", "says"),
    [
        ("pkexec", "exit 126", OutcomeState.CANCELLED, "nothing was changed"),
        ("pkexec", "echo 'Not authorized.' >&2; exit 127", OutcomeState.REFUSED, "Not authorized."),
        (
            "sudo",
            "echo 'a password is required' >&2; exit 1",
            OutcomeState.REFUSED,
            "a password is",
        ),
        ("sudo", "kill -INT $$", OutcomeState.REFUSED, "nothing was changed"),
        # It was let begin, and fails: there is no udev.
        ("pkexec", 'exec "$@"', OutcomeState.FAILED, "no udev here"),
    ],
)
def test_what_went_wrong_is_said(
    root: Path,
    closed: Path,
    program: Program,
    name: str,
    does: str,
    state: OutcomeState,
    says: str,
) -> None:
    program(name, does)
    outcome = run(rapl_mend(PERSON))
    assert outcome.state is state
    assert says in outcome.words
    assert ("sudo /bin/sh -c " in outcome.words) is (name == "sudo")
    assert files(root) == set()


def test_without_a_way_to_be_root_the_commands_are_told(closed: Path, program: Program) -> None:
    outcome = run(rapl_mend(PERSON))
    assert outcome.state is OutcomeState.NO_HELPER
    assert "Neither pkexec nor sudo" in outcome.words
    command = outcome.words.partition("\n")[2]
    assert command.startswith("sudo /bin/sh -c ")
    # Pasted, it is the same script.
    told = shell(command.replace("sudo /bin/sh -c", "printf %s", 1)).stdout
    assert told == rapl_mend(PERSON).script


def test_a_display_has_pkexec_ask_and_a_terminal_sudo(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert helper() is None
    program("pkexec")
    assert helper()[0].endswith("/pkexec")
    program("sudo")
    assert helper()[0].endswith("/sudo")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert helper()[0].endswith("/pkexec")


# The command.


def mend_command(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(sensors, ["mend", *arguments], input=answer)


@needs_denial
def test_the_command_alone_shows_and_changes_nothing(
    root: Path, closed: Path, program: Program
) -> None:
    calls = program("sudo")
    shown = mend_command()
    assert shown.exit_code == 0
    for part in ("only root may read them", RULE, "CVE-2020-8694", "--apply", "--undo"):
        assert part in shown.output
    assert not calls.exists()
    assert files(root) == set()


@needs_denial
@needs_root
def test_the_command_asks_before_it_does_anything(
    root: Path, closed: Path, program: Program
) -> None:
    program("udevadm", ":")
    calls = program("sudo", 'shift; exec "$@"')
    (root / "etc/passwd").write_text(f"{os.environ.get('SUDO_USER') or 'root'}:x:0:0::/:/bin/sh\n")
    refused = mend_command("--apply", answer="n\n")
    assert refused.exit_code == 1
    assert RULE in refused.stderr
    assert "Nothing was changed" in refused.stderr
    assert not calls.exists()

    done = mend_command("--apply", answer="y\n")
    assert done.exit_code == 0
    assert "log" in done.stdout
    assert files(root) == {RULE_FILE[1:]}

    undone = mend_command("--undo", "--yes")
    assert undone.exit_code == 0
    assert "Undone" in undone.stdout
    assert files(root) == set()


def test_undoing_what_is_not_installed_says_so_before_it_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.commands.mend.RULE_FILE", str(tmp_path / "no.rules"))
    refused = mend_command("--undo", answer="n\n")
    assert refused.exit_code == 1
    assert "No rule of LlamaWatt's is installed here." in " ".join(refused.stderr.split())
    assert "Nothing was changed." in refused.stderr


@needs_denial
def test_the_command_as_json(root: Path, closed: Path, program: Program) -> None:
    told = json.loads(mend_command("--json").stdout)
    assert (told["source"], told["state"], told["outcome"]) == ("rapl", "denied", None)
    assert told["mend"]["group"] == GROUP
    assert told["mend"]["rule_file"] == RULE_FILE
    assert RULE in told["mend"]["script"]
    program("sudo", "exit 1")
    failed = mend_command("--apply", "--yes", "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.stdout)["outcome"]["state"] == "refused"


def test_the_command_where_there_is_nothing_to_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Program
) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "nowhere"))
    calls = program("sudo")
    told = mend_command("--apply", "--yes")
    assert told.exit_code == 0
    assert "Nothing can be mended" in told.output
    assert not calls.exists()


def test_apply_and_undo_together_are_wrong_use() -> None:
    wrong = mend_command("--apply", "--undo")
    assert wrong.exit_code == 2
    assert "opposites" in wrong.output
