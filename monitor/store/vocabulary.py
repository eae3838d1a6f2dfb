"""The words of the index of texts that begin as one that is still being typed.

For beginnings of up to four letters the index has lists of their own. Of a longer one FTS5 merges
the lists of all words it fits before it gives the first row. Asked for the words themselves, one
or another, it reads of each list no more than is taken (sqlite.org/fts5.html, "The fts5vocab
Virtual Table Module").
"""

from sqlite_utils import Database

LISTED = 4
"""Letters of the longest beginnings that have a list of their own; see
:mod:`monitor.store.text_index`."""

MOST_WORDS = 64
"""More are not asked for one by one."""

_AFTER = "\x01"
"""Comes before every character of a word: what follows a word begins no earlier than it with
this."""


def words_beginning(db: Database, beginning: str) -> list[str]:
    """Return the words that begin so.

    :return: none if there are too many of them, if they have a list of their own, or if it is
      no one word as the index writes it (letters of ASCII and digits): FTS5 knows how
    """
    plain = beginning.lower()
    if len(plain) <= LISTED or not (plain.isascii() and plain.isalnum()):
        return []
    db.execute(
        "create virtual table if not exists temp.words using fts5vocab('main', 'texts', 'instance')"
    )
    found, following = list[str](), plain
    while len(found) <= MOST_WORDS:
        # One step down the index for each: all rows of a word would be read to pass it by.
        row = db.execute("select term from temp.words where term >= ? limit 1", [following])
        (word,) = row.fetchone() or ("",)
        if not word.startswith(plain):
            return found
        found.append(word)
        following = word + _AFTER
    return []
