"""When an answer's words were written is kept in a few bytes and found again."""

import numpy as np
import pytest

from monitor.store.marks import TextMarks, decode_marks, encode_marks


def marks(*pairs: tuple[float, int]) -> TextMarks:
    columns = np.array(pairs, np.float64).reshape(-1, 2)
    return TextMarks(columns[:, 0], columns[:, 1].astype(np.int64))


def test_marks_are_read_as_they_were_written_to_a_tenth_of_a_millisecond() -> None:
    rng = np.random.default_rng(3)
    written = TextMarks(
        np.cumsum(rng.uniform(0.001, 0.5, 5000)), np.cumsum(rng.integers(0, 12, 5000))
    )
    blob = encode_marks(written)
    read = decode_marks(blob)
    assert np.abs(read.time_s - written.time_s).max() <= 0.5e-4 + 1e-9
    assert (read.characters == written.characters).all()
    assert len(blob) < 5000 * 5


def test_the_text_of_a_moment_is_the_token_written_last() -> None:
    written = marks((1.0, 4), (1.5, 9), (2.0, 12))
    assert written.at_time(0.9) == (0, 0)
    assert written.at_time(1.0) == (0, 4)
    assert written.at_time(1.9) == (4, 9)
    assert written.at_time(99) == (9, 12)


def test_the_moment_of_a_character_is_that_of_its_token() -> None:
    written = marks((1.0, 4), (1.2, 4), (1.5, 9))
    assert [written.at_character(at) for at in (0, 3, 4, 8)] == [1.0, 1.0, 1.5, 1.5]
    assert written.at_character(9) is None


@pytest.mark.parametrize("pairs", [(), ((0.25, 3),)])
def test_few_or_no_tokens_are_marks_too(pairs: tuple[tuple[float, int], ...]) -> None:
    read = decode_marks(encode_marks(marks(*pairs)))
    assert read.characters.tolist() == [characters for _, characters in pairs]
