"""The tables of conversations as they grow into trees, and of what is known of texts and files.

A conversation's messages form a tree: a question that is asked otherwise, or answered once more,
stands beside the first one. ``leaf_id`` is the last message of the branch that was shown last.

What is written here belongs to a migration: it is never edited, only superseded by a later one.
"""

from sqlite_utils import Database


def grow_branches(db: Database) -> None:
    """Let messages know what they follow; what there was is one branch."""
    db.execute("alter table messages add column parent_id text references messages (id)")
    db.execute("create index messages_by_parent on messages (parent_id)")
    db.execute(
        "update messages set parent_id = (select max(p.id) from messages p "
        "where p.conversation_id = messages.conversation_id and p.id < messages.id)"
    )
    for column in (
        "pinned integer not null default 0",
        "deleted_at text",
        "leaf_id text",
        "system_text text",
        "sampling text",
    ):
        db.execute(f"alter table conversations add column {column}")
    db.execute(
        "update conversations set leaf_id = "
        "(select max(id) from messages m where m.conversation_id = conversations.id)"
    )
    db.execute("create index conversations_by_use on conversations (updated_at)")
    db.execute(
        "create index queries_of_talks on queries (conversation_id) "
        "where conversation_id is not null"
    )


def know_texts(db: Database) -> None:
    """Keep when an answer's characters were written, what thinking cost, and what was foretold."""
    db.execute("alter table queries add column thinking_s real")
    db.execute("alter table queries add column thinking_j real")
    db.execute("alter table traces add column marks blob")
    db.execute(
        "create table predictions (query_id text primary key references queries (id), "
        "energy_j real not null, low_j real not null, high_j real not null, "
        "basis integer not null)"
    )


def know_files(db: Database) -> None:
    """Remember what model files say of themselves, and how they are loaded."""
    db.execute(
        "create table model_heads (path text primary key, size_bytes integer not null, "
        "modified_ns integer not null, head text, problem text)"
    )
    for column in ("flash_attention text", "kv_type text", "memory_map text"):
        db.execute(f"alter table settings add column {column}")
