"""A conversation is written as the model was taught, and a template can do no harm."""

from pathlib import Path

import llama_cpp as llama
import pytest

from monitor.engine.messages import ChatMessage
from monitor.engine.prompt import TemplateRefused, render

SYSTEM = ChatMessage("system", "Be brief.")
QUESTION = ChatMessage("user", "What is a watt?")
ANSWER = ChatMessage("assistant", "A joule a second.")
AGAIN = ChatMessage("user", "And a joule?")

PLAIN = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
NO_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "[{{ m.role }}]{{ m.content }}{% endfor %}"
)


def chat(messages: list[ChatMessage], template: str | None) -> str:
    return render(messages, template, "<s>", "</s>")


def template_of(path: Path) -> str:
    """Return a model's own template as llama.cpp gives it to the engine."""
    params = llama.llama_model_default_params()
    params.vocab_only = True
    model = llama.llama_model_load_from_file(str(path).encode(), params)
    template = llama.llama_model_chat_template(model, None).decode()
    llama.llama_model_free(model)
    return template


def test_the_starters_own_template_is_used(starter: Path) -> None:
    template = template_of(starter)
    text = render([SYSTEM, QUESTION, ANSWER, AGAIN], template, "<|im_start|>", "<|im_end|>")
    assert text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nWhat is a watt?<|im_end|>\n"
        "<|im_start|>assistant\nA joule a second.<|im_end|>\n"
        "<|im_start|>user\nAnd a joule?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("template", [None, ""])
def test_a_base_model_continues_the_texts_as_they_are(template: str | None) -> None:
    assert chat([QUESTION], template) == "What is a watt?"
    assert chat([SYSTEM, QUESTION], template) == "Be brief.\n\nWhat is a watt?"


def test_the_template_gets_the_models_own_marks_and_is_asked_for_an_answer() -> None:
    template = "{{ bos_token }}{{ eos_token }}{{ 'go' if add_generation_prompt }}"
    assert chat([QUESTION], template) == "<s></s>go"


def test_a_system_text_the_template_refuses_goes_to_the_head_of_the_first_question() -> None:
    assert chat([SYSTEM, QUESTION, ANSWER, AGAIN], NO_SYSTEM) == (
        "[user]Be brief.\n\nWhat is a watt?[assistant]A joule a second.[user]And a joule?"
    )


def test_a_conversation_without_a_system_text_is_never_changed_to_please_a_template() -> None:
    template = "{% if messages | length > 2 %}{{ raise_exception('too long') }}{% endif %}" + PLAIN
    assert chat([SYSTEM, QUESTION, ANSWER], template).startswith("[user]Be brief.")
    with pytest.raises(TemplateRefused, match="too long"):
        chat([QUESTION, ANSWER, AGAIN], template)


def test_a_system_text_the_template_accepts_stays_a_system_text() -> None:
    assert chat([SYSTEM, QUESTION], PLAIN) == "[system]Be brief.[user]What is a watt?"


def test_markup_in_a_question_is_text_not_template() -> None:
    assert chat([ChatMessage("user", "{{ 6 * 7 }} <b>&")], PLAIN) == "[user]{{ 6 * 7 }} <b>&"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{{ messages[0].content + 1 }}", "str"),
        ("{{ nothing.at.all }}", "nothing"),
        ("{{ messages | no_such_filter }}", "no_such_filter"),
        ("{% if %}", "Expected"),
        ("{% for m in messages %}{{ m.content }}", "endfor"),
        ("{{ 1 // 0 }}", "zero"),
        ("{{ range(10 ** 9) | list }}", "Range too big"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
    ],
)
@pytest.mark.parametrize("messages", [[QUESTION], [SYSTEM, QUESTION]], ids=["alone", "system"])
def test_a_template_that_fails_is_a_refusal_with_its_own_reason(
    template: str, reason: str, messages: list[ChatMessage]
) -> None:
    with pytest.raises(TemplateRefused, match=reason):
        chat(messages, template)


def test_a_template_cannot_reach_pythons_own_classes() -> None:
    with pytest.raises(TemplateRefused):
        chat([QUESTION], "{{ ().__class__.__mro__[1].__subclasses__() }}")


@pytest.mark.parametrize(
    "reach",
    [
        "cycler.__init__.__globals__.os",
        "lipsum.__globals__['os']",
        "self.__init__.__globals__.__builtins__.__import__('os')",
        "messages.__class__.__init__.__globals__.os",
        "raise_exception.__globals__.__builtins__.__import__('os')",
        "(''|attr('__class__')|attr('__mro__'))[1].__subclasses__()[0]",
    ],
)
def test_a_template_cannot_run_anything(tmp_path: Path, reach: str) -> None:
    target = tmp_path / "harm"
    with pytest.raises(TemplateRefused):
        chat([QUESTION], "{{ " + reach + ".system('touch " + str(target) + "') }}")
    assert not target.exists()


def test_a_template_cannot_change_the_conversation() -> None:
    messages = [QUESTION]
    with pytest.raises(TemplateRefused):
        chat(messages, "{{ messages.append(1) }}")
    assert messages == [QUESTION]
