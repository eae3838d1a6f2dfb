"""An answer arrives whole: no half characters, no pieces of a stop text, nothing lost."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.engine.text import TextStream


def streamed(pieces: list[bytes], stop: tuple[str, ...] = ()) -> str:
    """Feed pieces as the engine does: no more once the stream has stopped."""
    stream = TextStream(stop)
    shown = []
    for piece in pieces:
        shown.append(stream.feed(piece))
        if stream.stopped:
            break
    return "".join([*shown, stream.finish()])


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at some places."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def test_an_emoji_split_over_tokens_appears_with_its_last_byte() -> None:
    stream = TextStream()
    shown = [stream.feed(bytes([byte])) for byte in "a👩b".encode()]
    assert shown == ["a", "", "", "", "👩", "b"]
    assert stream.finish() == ""


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([b"caf\xc3"], "caf\ufffd"),
        ([b"a", b"\xff", b"b"], "a\ufffdb"),
        ([b"\xf0\x9f", b"\x91", b"x"], "\ufffdx"),
        ([b"\xf0\x9f\x91"], "\ufffd"),
        ([b"\xc3", b"\xc3\xa9"], "\ufffdé"),
        ([], ""),
        ([b""], ""),
    ],
)
def test_invalid_bytes_become_replacement_characters_and_the_rest_stays(
    pieces: list[bytes], text: str
) -> None:
    assert streamed(pieces) == text


@pytest.mark.parametrize(
    ("pieces", "stop", "shown_at_once"),
    [
        # The beginning of a stop text waits, and is let go when it turns out not to be one.
        (["Hello <", "|im", "age|> there"], ("<|im_end|>",), ["Hello ", "", "<|image|> there"]),
        (["a\n", "\nUser", ":"], ("\n\nUser:",), ["a", "", ""]),
        (["a\n", "b"], ("\n\n",), ["a", "\nb"]),
        (["aa", "ab"], ("aab",), ["", "a"]),
        (["Hello", " there"], ("<|im_end|>",), ["Hello", " there"]),
        (["x END y"], ("END",), ["x "]),
        (["x E", "ND y"], ("END",), ["x ", ""]),
        (["one STOP two END"], ("END", "STOP"), ["one "]),
        (["x"], ("", "y"), ["x"]),
    ],
)
def test_what_may_be_a_stop_text_is_held_back(
    pieces: list[str], stop: tuple[str, ...], shown_at_once: list[str]
) -> None:
    stream = TextStream(stop)
    assert [stream.feed(piece.encode()) for piece in pieces] == shown_at_once


def test_a_held_beginning_of_a_stop_text_is_given_out_at_the_end() -> None:
    stream = TextStream(("<|im_end|>",))
    assert stream.feed(b"5 <|im") == "5 "
    assert (stream.finish(), stream.stopped) == ("<|im", False)


def test_a_held_beginning_and_half_a_character_are_both_given_out_at_the_end() -> None:
    stream = TextStream(("END",))
    assert stream.feed(b"x EN\xf0\x9f") == "x "
    assert stream.finish() == "EN\ufffd"


def test_after_a_stop_text_nothing_more_is_given_out() -> None:
    stream = TextStream(("END",))
    assert stream.feed("xENDy…".encode()[:-1]) == "x"
    assert (stream.stopped, stream.finish()) == (True, "")


@pytest.mark.parametrize("stop", [("abcd", "bc"), ("bc", "abcd"), ("\n\nUser:", "\nUser")])
def test_the_answer_does_not_depend_on_how_it_was_cut_into_tokens(stop: tuple[str, ...]) -> None:
    data = f"yes {stop[0]}{stop[1]} no".encode()
    whole = streamed([data], stop)
    assert streamed([bytes([byte]) for byte in data], stop) == whole
    for place in range(len(data)):
        assert streamed(cut(data, [place]), stop) == whole, f"cut at {place}"


@given(st.text(), st.lists(st.integers(0, 1000)))
def test_any_cutting_of_the_bytes_gives_the_same_text(text: str, places: list[int]) -> None:
    assert streamed(cut(text.encode(), places)) == text


FEW_LETTERS = st.text("ab<é👩", max_size=40)


@given(
    FEW_LETTERS,
    st.lists(st.text("ab<é👩", min_size=1, max_size=4), min_size=1, max_size=3, unique=True),
    st.lists(st.integers(0, 1000)),
)
def test_any_cutting_of_the_bytes_ends_before_the_earliest_stop_text(
    text: str, stop: list[str], places: list[int]
) -> None:
    assume(not any(a in b for a in stop for b in stop if a != b))
    first = min((at for word in stop if (at := text.find(word)) >= 0), default=len(text))
    assert streamed(cut(text.encode(), places), tuple(stop)) == text[:first]


@given(st.lists(st.binary(max_size=6)))
def test_bytes_of_any_kind_give_the_text_python_decodes(pieces: list[bytes]) -> None:
    assert streamed(pieces) == b"".join(pieces).decode("utf-8", errors="replace")
