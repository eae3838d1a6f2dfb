"""The index of what was asked and answered: every word of a million queries in milliseconds.

It holds words only; the texts stay in ``queries``. A query is entered when it has ended, with
marks for its model, kind, machine and status, so that a frequent word and a rare model are looked
up together rather than one after the other.

What is written here belongs to a migration: it is never edited, only superseded by a later one.
"""

from sqlite_utils import Database

COLUMNS = (
    "ifnull({q}.prompt_text, ''), ifnull({q}.answer_text, ''), ifnull({q}.note, ''), "
    "'m' || ifnull({q}.model_id, 0) || ' k' || {q}.kind || ' c' || ifnull({q}.machine_id, '') "
    "|| ' s' || {q}.status"
)


def create_text_index(db: Database) -> None:
    """Make the index, fill it, and have triggers keep it."""
    db.execute(
        "create view query_texts (started_ms, prompt, answer, note, marks) as "
        f"select q.started_ms, {COLUMNS.format(q='q')} from queries q"
    )
    db.execute(
        "create virtual table texts using fts5 (prompt, answer, note, marks, "
        "content = 'query_texts', content_rowid = 'started_ms', "
        "prefix = '2 3 4', tokenize = 'unicode61 remove_diacritics 2')"
    )
    index_texts(db)
    create_text_triggers(db)


def index_texts(db: Database) -> None:
    """Enter every query that has ended into the empty index."""
    db.execute(
        "insert into texts (rowid, prompt, answer, note, marks) "
        f"select q.started_ms, {COLUMNS.format(q='q')} from queries q where q.status <> 'running'"
    )


def create_text_triggers(db: Database) -> None:
    """Have the database keep the index."""
    enter, leave = _enter("new"), _leave("old")
    db.execute(f"create trigger texts_added after insert on queries begin {enter} end")
    db.execute(f"create trigger texts_gone after delete on queries begin {leave} end")
    db.execute(
        "create trigger texts_changed after update of prompt_text, answer_text, note, model_id, "
        "kind, machine_id, status on queries "
        f"when old.status <> 'running' or new.status <> 'running' begin {leave} {enter} end"
    )


def drop_text_triggers(db: Database) -> None:
    """Undo :func:`create_text_triggers`, to write many queries at once and index afterwards."""
    for name in ("texts_added", "texts_gone", "texts_changed"):
        db.execute(f"drop trigger {name}")


def _enter(row: str) -> str:
    return (
        "insert into texts (rowid, prompt, answer, note, marks) "
        f"select {row}.started_ms, {COLUMNS.format(q=row)} where {row}.status <> 'running';"
    )


def _leave(row: str) -> str:
    return (
        "insert into texts (texts, rowid, prompt, answer, note, marks) "
        f"select 'delete', {row}.started_ms, {COLUMNS.format(q=row)} "
        f"where {row}.status <> 'running';"
    )
