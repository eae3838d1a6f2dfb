"""The identifier of a query on the command line."""

import click


class QueryId(click.types.StringParamType):
    """An identifier, or enough of its beginning or end; without one it is said where they are."""

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """Return what stands behind “Missing argument”."""
        return "`llamawatt history list` shows the identifiers."
