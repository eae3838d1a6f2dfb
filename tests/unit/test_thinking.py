"""Thoughts are told from answers, whatever family of models wrote them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.engine.thinking import MARKS, opened_by, split_thinking


@pytest.mark.parametrize(("opening", "closing"), MARKS)
def test_a_thought_and_its_answer_are_cut_apart(opening: str, closing: str) -> None:
    text = f"{opening}\nTwo and two.\n{closing}\n\nFour."
    told = split_thinking(text)
    assert (told.thought, told.answer, told.is_open) == ("Two and two.", "Four.", False)
    assert text[told.answer_start :] == "Four."
    assert text[told.thought_start :].lstrip().startswith("Two")


@pytest.mark.parametrize(("opening", "closing"), MARKS)
def test_while_it_thinks_there_is_no_answer_and_no_half_mark(opening: str, closing: str) -> None:
    for length in range(len(closing)):
        told = split_thinking(f"{opening}Hm{closing[:length]}")
        assert (told.thought, told.answer, told.is_open) == ("Hm", "", True)


def test_gpt_oss_leaves_nothing_of_its_channels_in_thought_or_answer() -> None:
    text = (
        "<|channel|>analysis<|message|>Add them.<|end|><|start|>assistant"
        "<|channel|>final<|message|>Four."
    )
    told = split_thinking(text)
    assert (told.thought, told.answer) == ("Add them.", "Four.")
    assert split_thinking("<|channel|>final<|message|>Four.").answer == "Four."


def test_a_mark_within_an_answer_is_part_of_it() -> None:
    text = "Models write <think> before they answer, and </think> behind it."
    told = split_thinking(text)
    assert (told.thought, told.answer, told.answer_start) == ("", text, 0)


def test_an_empty_thought_is_none() -> None:
    """Qwen writes one where it was told not to think."""
    told = split_thinking("<think>\n\n</think>\n\nFour.")
    assert (told.thought, told.answer, told.is_open) == ("", "Four.", False)


@given(st.text(alphabet="<>/think [THINK]ab\n", max_size=60))
def test_the_answer_is_always_the_end_of_the_text(text: str) -> None:
    told = split_thinking(text)
    assert text.endswith(told.answer)
    assert told.answer == text[told.answer_start :]


def test_templates_that_open_the_thought_themselves_are_seen() -> None:
    assert opened_by("<|user|>Two and two?<|assistant|><think>\n") == "<think>\n"
    assert opened_by("<|im_start|>assistant\n") == ""
    assert split_thinking(opened_by("<think>") + "Hm</think>Four.").answer == "Four."
