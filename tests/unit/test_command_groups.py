"""Commands below commands: whoever calls one that is none is told which there are."""

import pytest
from click.testing import CliRunner

from monitor.cli import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("sensors list", "No such command “list”. There are: mend, plug, test."),
        ("sensors tst", "Did you mean test?"),
        ("sensors watch", "It is: llamawatt watch"),
        ("sensors plug ad 192.168.1.20", "Did you mean add?"),
        ("watch shw", "Did you mean show?"),
        ("watch 5", "How long is said by an option: llamawatt watch --seconds 5"),
        ("watch 1:30", "llamawatt watch --seconds 1:30"),
        ("watch --seconds soon", "'soon' is no length of time; write seconds (90), or 1:30"),
        ("watch --seconds 0", "not in the range"),
        ("export pdf", "There are: capsule, card, csv, emissions, jsonl, report."),
        ("history show", "`llamawatt history list` shows the identifiers."),
        ("history tag 3fa85f64 talk", "llamawatt history tag 3fa85f64 --as talk"),
        ("history list --limit many", "'many' is no whole number."),
        ("compare --good-enough two", "'two' is no number."),
    ],
)
def test_a_slip_is_answered_with_the_way_on(words: str, said: str) -> None:
    done = CliRunner().invoke(main, words.split())
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ("history", "model, settings and seed; the end of an ID is enough."),
        (
            "export",
            "capsule Write all that is known of a query or a benchmark into one JSON document.",
        ),
        ("database", "rescue Save what can be read of a damaged history into a new file;"),
    ],
)
def test_help_says_in_full_what_a_command_does(group: str, said: str) -> None:
    told = CliRunner().invoke(main, [group, "--help"]).stdout
    assert said in " ".join(told.split())
    assert "..." not in told.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("watch 5 ", "plain,show"),
        ("watch sho", "plain,show"),
        ("sensors tst ", "plain,test"),
        ("ask what is --te", "plain,--temp"),
    ],
)
def test_the_tab_key_is_no_use_of_a_command(typed: str, offered: str) -> None:
    words = f"llamawatt {typed}"
    asked = {
        "_LLAMAWATT_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    done = CliRunner().invoke(main, env=asked, prog_name="llamawatt")
    assert (done.exit_code, done.exception) == (0, None)
    assert offered in done.stdout.splitlines()
