"""``python -m monitor``, and what is installed as ``llamawatt``, is the command of that name."""

import signal


def main() -> None:
    """Read the command's modules, then run it.

    Ctrl-C ends a program that is only being read at once, as it ends any other; Python would tell
    which line of which module it had come to.
    """
    is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_usual:  # what runs in the background of a script ignores it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from monitor.cli import main as command

    if is_usual:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command(prog_name="llamawatt")


if __name__ == "__main__":
    main()
