"""``python -m monitor`` is the command ``llamawatt``."""

from monitor.cli import main

main(prog_name="llamawatt")
