"""How well a title fits what was typed."""

import unicodedata

WHOLE_WORD, WORD_BEGINNING, INSIDE, SCATTERED = 1.0, 0.8, 0.5, 0.2

WIDEST = 4
"""Letters that are scattered may lie over so many times their number."""


def match(typed: str, title: str) -> float | None:
    """Return how well a title fits, 0 to 1, or ``None`` if it does not.

    Every word that was typed must be found: as a word, its beginning, somewhere inside, or as
    letters that follow one another from the beginning of a word. Case and accents do not count.
    """
    plain, words = _plain(title), _plain(typed).split()
    if not words:
        return None
    scores = [_match_word(word, plain) for word in words]
    if 0.0 in scores:
        return None
    # Of titles that fit alike the one of which more was typed comes first.
    share = min(len("".join(words)) / max(len(plain), 1), 1.0)
    return (9 * sum(scores) / len(scores) + share) / 10


def _match_word(word: str, title: str) -> float:
    at = title.find(word)
    best = 0.0
    while at >= 0:
        if at and title[at - 1].isalnum():
            best = max(best, INSIDE)
        elif title[at + len(word) : at + len(word) + 1].isalnum():
            best = max(best, WORD_BEGINNING)
        else:
            return WHOLE_WORD
        at = title.find(word, at + 1)
    return best or _match_letters(word, title)


def _match_letters(word: str, title: str) -> float:
    if len(word) < 2:
        return 0.0
    for start, letter in enumerate(title):
        begins_word = letter == word[0] and not (start and title[start - 1].isalnum())
        if begins_word and _follows(word, title[start : start + WIDEST * len(word)]):
            return SCATTERED
    return 0.0


def _follows(word: str, text: str) -> bool:
    letters = iter(text)
    return all(letter in letters for letter in word)


def _plain(text: str) -> str:
    """Take case and accents off."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
