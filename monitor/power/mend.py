"""What makes a denied source readable: shown, run as root when a person says so, and undone.

The kernel's answer to CVE-2020-8694 is that only root reads ``energy_uj``. The mend is a udev
rule (udev(7)) that gives one group read access whenever a zone appears, so that it lasts over a
restart and over a reload of the driver, and membership in that group for one person. Nothing is
ever opened to everyone.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from monitor.display import display_problem
from monitor.power.channel import Probe
from monitor.power.deadline import within
from monitor.power.rapl.powercap import find_zones

GROUP = "llamawatt"
"""A group of its own, so that undoing can take it away again."""

RULE_FILE = "/etc/udev/rules.d/70-llamawatt-rapl.rules"

RULE = (
    'SUBSYSTEM=="powercap", KERNEL=="intel-rapl*:*", ACTION=="add|change", '
    f'RUN+="/bin/chgrp {GROUP} /sys%p/energy_uj", RUN+="/bin/chmod g+r,o-rwx /sys%p/energy_uj"'
)
"""The group first, then its right: the right is never some other group's."""

NOT_OURS = f"# The group {GROUP} was there before, and stays."
"""A line of the rule's file: undoing then leaves the group alone, and who is in it."""

TITLE = "Let one group read the processor's energy counters"

EFFECT = (
    "A udev rule gives the group %1 read access to the counters, now and after each start, and "
    "you join that group."
)

SIDE_CHANNEL = (
    "They are closed by default because a program that reads them can work out what other "
    "programs compute, keys among it (CVE-2020-8694): members of the group can do that, nobody "
    "else."
)

BY_HAND = (
    "`llamawatt sensors mend --apply` lets one group read them, after each start; "
    "`llamawatt sensors mend` only shows what it would do. By hand, in a terminal:\n"
    f'sudo groupadd -rf {GROUP} && sudo usermod -aG {GROUP} "$USER" && '
    f"printf '%s\\n' '{RULE}' | sudo tee {RULE_FILE} && sudo udevadm control --reload && "
    "sudo udevadm trigger --action=add --subsystem-match=powercap\n"
    f"Then log in again. {SIDE_CHANNEL} Do not open them to everyone."
)
"""The ``mend`` of a probe that was denied; :func:`mend_for` knows it by this."""

BEGUN = "llamawatt: begun"
"""The script's first line of output: without it, it was never let begin."""

READ_S = 5.0
"""A counter that tells nothing for so long hangs; each is read within microseconds."""

DISMISSED = 126
"""Exit status of pkexec whose question was dismissed (pkexec(1))."""

# DESTDIR is empty when the script is run; a test, or an image builder, names another root.
_HEAD = f"""\
set -eu
root="${{DESTDIR:-}}"
echo '{BEGUN}'
"""

_INSTALL = (
    _HEAD
    + f"""\
if ! command -v udevadm >/dev/null; then
    echo 'There is no udev here (no udevadm), which opens the counters at each start.' >&2
    exit 1
fi
whose='# The group {GROUP} was made for this.'
if grep -q '^{GROUP}:' "$root/etc/group" && {{
    [ ! -e "$root{RULE_FILE}" ] || grep -qxF '{NOT_OURS}' "$root{RULE_FILE}"
}}; then
    whose='{NOT_OURS}'
fi
groupadd -rf ${{root:+--prefix "$root"}} {GROUP}
# Only gpasswd takes a person whom the system knows by a directory, such as LDAP.
if ! usermod ${{root:+--prefix "$root"}} -aG {GROUP} @USER@ &&
    ! gpasswd ${{root:+--root "$root"}} -a @USER@ {GROUP}; then
    [ "$whose" = '{NOT_OURS}' ] || groupdel ${{root:+--prefix "$root"}} {GROUP}
    echo @USER@' cannot be put into the group {GROUP}; nothing was changed.' >&2
    exit 1
fi
mkdir -p "$root/etc/udev/rules.d"
printf '%s\\n' '# Lets the group {GROUP} read the energy counters of the processor (RAPL).' \\
    '# Undone by: llamawatt sensors mend --undo' "$whose" \\
    '{RULE}' > "$root{RULE_FILE}"
chmod 644 "$root{RULE_FILE}"
udevadm control --reload
# What the rule does whenever a zone appears is done now to those that are there.
gid=$(sed -n 's/^{GROUP}:[^:]*:\\([0-9]*\\):.*/\\1/p' "$root/etc/group")
for counter in "$root"/sys/class/powercap/intel-rapl*:*/energy_uj; do
    [ -e "$counter" ] || continue
    chgrp "${{gid:-{GROUP}}}" "$counter"
    chmod g+r,o-rwx "$counter"
done
"""
)

_UNDO = (
    _HEAD
    + f"""\
is_ours=
if [ -e "$root{RULE_FILE}" ] && ! grep -qxF '{NOT_OURS}' "$root{RULE_FILE}"; then is_ours=1; fi
rm -f "$root{RULE_FILE}"
if command -v udevadm >/dev/null; then udevadm control --reload; fi
for counter in "$root"/sys/class/powercap/intel-rapl*:*/energy_uj; do
    [ -e "$counter" ] || continue
    chmod g-r "$counter"
    chgrp 0 "$counter"
done
if [ "$is_ours" ] && grep -q '^{GROUP}:' "$root/etc/group"; then
    groupdel ${{root:+--prefix "$root"}} {GROUP}
fi
"""
)


@dataclass(frozen=True, slots=True)
class Mend:
    """Something that root can do once, and undo.

    :param title: what it does, in a few words of the reader's language
    :param why: what it changes and what that risks, in sentences of the same
    :param script: what root runs, for ``/bin/sh``
    :param undo_script: what takes it back
    """

    title: str
    why: str
    script: str
    undo_script: str


class OutcomeState(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    CANCELLED = "cancelled"
    """The person dismissed the question for a password."""
    REFUSED = "refused"
    """They were not let: a wrong password, or no right to become root."""
    FAILED = "failed"
    """The script ran as root and ended with an error."""
    NO_HELPER = "no helper"
    """Neither pkexec nor sudo is here."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended.

    :param words: what happened and what to do next, in sentences
    :param works_now: whether this process can read a counter
    """

    state: OutcomeState
    words: str
    works_now: bool


def mend_for(probe: Probe, translate: Callable[[str], str] = str) -> Mend | None:
    """Return what a button can do about a probe; ``None`` if nothing can.

    :param translate: for the window's language
    """
    return rapl_mend(translate=translate) if probe.mend == BY_HAND else None


def rapl_mend(user: str | None = None, translate: Callable[[str], str] = str) -> Mend:
    """Return the mend of closed RAPL counters.

    :param user: who is to be able to read them; whoever runs this unless given
    :param translate: for the window's language
    """
    return Mend(
        title=translate(TITLE),
        why=f"{translate(EFFECT).replace('%1', GROUP)} {translate(SIDE_CHANNEL)}",
        script=_INSTALL.replace("@USER@", shlex.quote(user or _user())),
        undo_script=_UNDO,
    )


def _user() -> str:
    """Return the name of the person; behind sudo that is who called it."""
    import pwd  # not on Windows, where nothing is mended

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return (os.environ.get("SUDO_USER") or name) if os.getuid() == 0 else name


def helper() -> list[str] | None:
    """Return the beginning of a command that asks for the right to be root; ``None`` if none is.

    pkexec asks in a window, so that it comes first where there is a display; sudo in the
    terminal. Without a terminal sudo must not wait for a password that nobody can type.
    """
    pkexec, sudo = shutil.which("pkexec"), shutil.which("sudo")
    has_terminal = sys.stdin is not None and sys.stdin.isatty()
    by_sudo = [sudo] if has_terminal else [sudo, "-n"]
    if pkexec and (not sudo or not display_problem()):
        return [pkexec]
    return [part for part in by_sudo if part] if sudo else None


def by_hand(script: str) -> str:
    """Return a command that a person can paste into a root shell, or behind sudo."""
    return f"sudo /bin/sh -c {shlex.quote(script)}"


def run(mend: Mend, undo: bool = False, translate: Callable[[str], str] = str) -> Outcome:
    """Have root run a mend, or take it back. Blocks until the person has answered.

    The script is handed over as an argument: what was shown is what runs, whatever happens to
    any file meanwhile.

    :param translate: for the window's language; called from this thread
    """
    script = mend.undo_script if undo else mend.script
    command = helper()
    if command is None:
        words = translate("Neither pkexec nor sudo is here. Run this as root:")
        return Outcome(OutcomeState.NO_HELPER, f"{words}\n{by_hand(script)}", works_now())
    try:
        ended = subprocess.run(
            [*command, "/bin/sh", "-c", script],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        words = translate("%1 cannot be started (%2). Run this as root:")
        words = words.replace("%1", command[0]).replace("%2", str(error.strerror))
        return Outcome(OutcomeState.NO_HELPER, f"{words}\n{by_hand(script)}", works_now())
    outcome = _outcome(Path(command[0]).name, ended, undo, translate)
    if outcome.state is OutcomeState.REFUSED and "-n" in command:
        in_terminal = translate("In a terminal it can ask for a password:")
        words = f"{outcome.words}\n{in_terminal}\n{by_hand(script)}"
        return replace(outcome, words=words)
    return outcome


def _outcome(
    program: str,
    ended: "subprocess.CompletedProcess[str]",
    undo: bool,
    translate: Callable[[str], str],
) -> Outcome:
    is_open = works_now()
    status = translate("exit status %1").replace("%1", str(ended.returncode))
    (said,) = ended.stderr.strip().splitlines()[-1:] or [status]
    if BEGUN not in ended.stdout:
        if ended.returncode == DISMISSED and program == "pkexec":
            words = translate("Cancelled; nothing was changed.")
            return Outcome(OutcomeState.CANCELLED, words, is_open)
        words = translate("Not allowed; nothing was changed. %1 says: %2")
        words = words.replace("%1", program).replace("%2", said)
        return Outcome(OutcomeState.REFUSED, words, is_open)
    if ended.returncode != 0:
        words = translate("It ran as root and failed: %1").replace("%1", said)
        return Outcome(OutcomeState.FAILED, words, is_open)
    return Outcome(OutcomeState.DONE, _done_words(undo, is_open, translate), is_open)


def _done_words(undo: bool, is_open: bool, translate: Callable[[str], str]) -> str:
    if undo:
        undone = (
            "Undone: the rule is gone, and the group unless it was there before; the counters are "
            "root's again."
        )
        still = "This process can still read them: it runs as root."
        return f"{translate(undone)} {translate(still)}" if is_open else translate(undone)
    if is_open:
        return translate("Done: the counters can be read now, and after each start.")
    return translate(
        "Done. The group %1 can read the counters; you belong to it once you have logged out and "
        "in again, or restarted."
    ).replace("%1", GROUP)


def works_now() -> bool:
    """Say whether this process can read a counter through powercap. One that hangs cannot be."""
    try:
        return bool(within(READ_S, find_zones).readable)
    except TimeoutError:
        return False
