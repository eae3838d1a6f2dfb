"""The commands of ``llamawatt``: a file each, and what they share on a terminal. No other room of
``monitor`` knows them but :mod:`monitor.cli`."""
