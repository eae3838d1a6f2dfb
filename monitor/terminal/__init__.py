"""How tables, records and commands to be copied are laid out on a terminal."""
