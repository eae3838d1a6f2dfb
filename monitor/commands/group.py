"""Groups of commands: what they say of one that is none, and modules read once asked for."""

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

SENTENCE = 200
"""Characters that the longest of the commands' first sentences may have."""


class NamingGroup(click.Group):
    """A group that says in full what its commands do, and which it has to whoever calls another."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called; of one that is none, say where it is, or the nearest.

        :raises click.UsageError: if there is none of that name
        """
        names = self.list_commands(ctx)
        if args[0] not in names and not args[0].startswith("-") and not ctx.resilient_parsing:
            near = " or ".join(difflib.get_close_matches(args[0], names))
            hint = f"Did you mean {near}?" if near else f"There are: {', '.join(names)}."
            root = ctx.find_root().command
            if isinstance(root, click.Group) and args[0] in root.list_commands(ctx):
                hint = f"It is: llamawatt {args[0]}"
            raise click.UsageError(f"No such command “{args[0]}”. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with all of its first sentence: click would cut it."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, command.get_short_help_str(limit=SENTENCE))
                    for name, command in commands
                    if command and not command.hidden
                ]
            )


class LazyGroup(NamingGroup):
    """A group that also has commands of modules it has not read.

    Reading every module takes most of a second, which the shell's prompt would wait for.

    :param lazy: ``module:attribute`` of a command by its name
    """

    def __init__(self, *args: Any, lazy: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, sorted; nothing is read for it."""
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, reading its module if need be."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._lazy[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command
