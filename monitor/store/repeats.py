"""Queries that measure the same once more, kept together."""

from monitor.store.database import Store


class Repeats:
    """Groups of queries that were run to know one energy better.

    :param store: open
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def join(self, query_id: str, repeat_id: str) -> None:
        """Put a query into a group.

        :param query_id: its whole identifier
        :param repeat_id: the group's, made by whoever runs it
        """
        self._store.write(
            lambda db: db.execute(
                "update queries set repeat_id = ? where id = ?", [repeat_id, query_id]
            )
        ).result()

    def members(self, repeat_id: str) -> tuple[str, ...]:
        """Return the identifiers of a group's queries, the oldest first; none if it is unknown."""
        rows = self._store.read().execute(
            "select id from queries where repeat_id = ? order by started_ms", [repeat_id]
        )
        return tuple(query_id for (query_id,) in rows)
