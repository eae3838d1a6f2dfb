"""The commands that look after conversations: list, show, write out, take in, and tidy up."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from monitor import figures
from monitor.bill_words import LEGEND, headline
from monitor.clock import local_minute
from monitor.commands.group import NamingGroup
from monitor.commands.number_option import Whole
from monitor.commands.terminal import (
    echo_json,
    inert,
    json_option,
    open_history,
    stderr,
    stdout,
    tell_more,
)
from monitor.engine.thinking import split_thinking
from monitor.exchange.capsule import write_capsule
from monitor.exchange.conversation import (
    conversation_json,
    conversation_markdown,
    cost_line,
    total_line,
)
from monitor.exchange.conversation_reading import take_in_conversation
from monitor.exchange.files import new_file
from monitor.store.branches import Branch
from monitor.store.conversation_search import HIT_END, HIT_START
from monitor.store.conversations import Listed, Talk, TalkTurn
from monitor.store.history import History
from monitor.terminal.plain_table import make_table, times_note

EMPTY = "There is no conversation yet. Begin one in the window: llamawatt"
NOTHING_MATCHES = "No conversation holds that. Try fewer or shorter words."

MARKDOWN, JSON = ".md", ".json"


@click.group(cls=NamingGroup)
def chats() -> None:
    """Look after the conversations of the window."""


@chats.command("list")
@click.option("--text", default="", help="Words of titles, questions and answers; beginnings do.")
@click.option("--deleted", is_flag=True, help="Those that can still be restored.")
@click.option("--limit", type=Whole(1), default=20, show_default=True)
@json_option
def list_chats(text: str, deleted: bool, limit: int, as_json: bool) -> None:
    """List conversations, the pinned ones first, then the latest used.

    Example: llamawatt chats list --text watt
    """
    with open_history() as history:
        listed = history.talks.listed(text, limit + 1, deleted)
    if as_json:
        echo_json([_listed_json(each) for each in listed[:limit]])
    elif listed:
        stdout.print(_table(listed[:limit]))
        tell_more(listed, limit)
    else:
        stderr.print(NOTHING_MATCHES if text.strip() or deleted else EMPTY)


@chats.command("show")
@click.argument("chat_id")
@click.option("--markdown", is_flag=True, help="As `chats export` writes it.")
@json_option
def show_chat(chat_id: str, markdown: bool, as_json: bool) -> None:
    """Show a conversation as it was left, with the bill of each answer.

    The end of an ID is enough. With --json: all its branches.

    Example: llamawatt chats show 3fa85f64
    """
    with open_history() as history:
        found = _found(history, chat_id)
        if as_json:
            echo_json(conversation_json(history, found))
            return
        talk = history.talks.talk(found)
    if markdown:
        click.echo(inert(conversation_markdown(talk)), nl=False)
    else:
        stdout.print(_view(talk))


@chats.command("export")
@click.argument("chat_id")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              help="A name ending in .md or .json says what is written.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@json_option
def export_chat(chat_id: str, output: Path, force: bool, as_json: bool) -> None:
    """Write a conversation with its bills: as Markdown to be read, or as JSON to be taken in.

    Markdown holds the branch that was shown last, JSON holds all of them.

    Example: llamawatt chats export 3fa85f64 -o watts.md
    """
    kind = output.suffix.lower()
    if kind not in (MARKDOWN, JSON):
        raise click.UsageError(f"Give {output.name} an ending: {MARKDOWN} or {JSON}.")
    with open_history() as history:
        found = _found(history, chat_id)
        with new_file(output, force) as file:
            if kind == JSON:
                write_capsule(conversation_json(history, found), file)
            else:
                file.write(conversation_markdown(history.talks.talk(found)))
    if as_json:
        echo_json({"id": found, "path": str(output.expanduser().resolve())})
    else:
        stderr.print(f"Wrote the conversation to {escape(str(output))}.")


@chats.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def import_chat(file: Path, as_json: bool) -> None:
    """Take in a conversation that was written out as JSON, with its branches and bills.

    Taking in the same file again adds nothing. Gone on with in both places, it branches.

    Example: llamawatt chats import watts.json
    """
    with open_history() as history:
        taken = take_in_conversation(history, file)
    if as_json:
        counts = {"messages": taken.messages, "queries": taken.queries}
        echo_json({"id": taken.id, "title": taken.title, **counts})
        return
    new = f"{taken.messages:,} messages and {taken.queries:,} bills"
    told = f"Took in {new} of" if taken.messages else "It was here already:"
    stderr.print(escape(f"{told} “{inert(taken.title)}”."))


@chats.command("rename")
@click.argument("chat_id")
@click.argument("title")
@json_option
def rename_chat(chat_id: str, title: str, as_json: bool) -> None:
    """Give a conversation another title.

    Example: llamawatt chats rename 3fa85f64 "On watts"
    """
    with open_history() as history:
        found = _found(history, chat_id)
        try:
            history.talks.rename(found, title)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    if as_json:
        echo_json({"id": found, "title": " ".join(title.split())})


@chats.command("pin")
@click.argument("chat_id")
@click.option("--off", is_flag=True, help="No longer.")
@json_option
def pin_chat(chat_id: str, off: bool, as_json: bool) -> None:
    """Keep a conversation at the head of the list.

    Example: llamawatt chats pin 3fa85f64
    """
    with open_history() as history:
        found = _found(history, chat_id)
        history.talks.pin(found, not off)
    if as_json:
        echo_json({"id": found, "pinned": not off})


@chats.command("delete")
@click.argument("chat_ids", nargs=-1, required=True)
@json_option
def delete_chats(chat_ids: Sequence[str], as_json: bool) -> None:
    """Delete conversations; for 30 days `chats restore` brings them back.

    What their answers cost stays in the history.

    Example: llamawatt chats delete 3fa85f64
    """
    with open_history() as history:
        found = [_found(history, each) for each in chat_ids]
        history.talks.delete(found)
    if as_json:
        echo_json({"ids": found, "deleted": True})
    else:
        back = f"llamawatt chats restore {' '.join(found)}"
        stderr.print(f"Deleted. To undo: {back}", soft_wrap=True)


@chats.command("restore")
@click.argument("chat_ids", nargs=-1, required=True)
@json_option
def restore_chats(chat_ids: Sequence[str], as_json: bool) -> None:
    """Bring deleted conversations back; `chats list --deleted` shows them.

    Example: llamawatt chats restore 3fa85f64
    """
    with open_history() as history:
        found = [_found(history, each) for each in chat_ids]
        history.talks.restore(found)
    if as_json:
        echo_json({"ids": found, "deleted": False})


def _found(history: History, chat_id: str) -> str:
    """Return a conversation's identifier from one end of it.

    :raises click.ClickException: if there is none, or several
    """
    try:
        return history.talks.find(chat_id)
    except KeyError as error:
        raise click.ClickException(str(error.args[0])) from None


def _listed_json(listed: Listed) -> dict[str, Any]:
    return {
        "id": listed.id,
        "title": listed.title,
        "updated_at": listed.updated_at,
        "pinned": listed.pinned,
        "turns": listed.turns,
        "queries": listed.queries,
        "measured": listed.measured,
        "is_lower_bound": listed.is_lower_bound,
        "energy_j": listed.energy_j,
        "kind": listed.energy_kind and str(listed.energy_kind),
        "snippet": _plain_snippet(listed.snippet) or None,
        "hit_query_id": listed.hit_query_id,
    }


def _plain_snippet(snippet: str) -> str:
    return snippet.replace(HIT_START, "").replace(HIT_END, "")


# --- on a terminal ---------------------------------------------------------------------------


def _table(listed: Sequence[Listed]) -> RenderableType:
    table = make_table("id", "used", "turns", "energy", "title", right=("turns", "energy"))
    for each in listed:
        title = Text("★ " if each.pinned else "").append(inert(each.title))
        if each.snippet:
            title.append("\n").append(_marked_snippet(each.snippet))
        energy = figures.marked(each.energy_kind, figures.energy(each.energy_j))
        energy = figures.at_least(energy, each.is_lower_bound)
        table.add_row(each.id[-8:], local_minute(each.updated_at), str(each.turns), energy, title)
    times = times_note(each.updated_at for each in listed)
    return Group(table, Text(LEGEND, style="dim"), times)


def _marked_snippet(snippet: str) -> Text:
    text = Text(style="dim")
    for part in snippet.split(HIT_START):
        hit, _, rest = part.rpartition(HIT_END)
        text.append(inert(hit), style="bold").append(inert(rest))
    return text


def _view(talk: Talk) -> RenderableType:
    parts: list[RenderableType] = [Text(inert(talk.title), style="bold underline"), Text()]
    if talk.system:
        parts += [Text(inert(talk.system), style="italic"), Text()]
    for turn in talk.turns:
        parts += [*_turn_view(turn), Text()]
    if records := [turn.record for turn in talk.turns if turn.record]:
        parts.append(Text(f"Total: {total_line(records)}"))
        if talk.cost.queries > len(records):
            parts.append(Text(f"All branches: {cost_line(talk.cost)}"))
    return Group(*parts, Text(LEGEND, style="dim"))


def _turn_view(turn: TalkTurn) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(inert(turn.question), style="bold")]
    parts += _branches_view("asked", turn.questions)
    thinking = split_thinking(turn.answer)
    if thinking.thought:
        parts.append(Text(inert(thinking.thought), style="dim italic"))
    parts.append(Text(inert(thinking.answer)))
    parts += _branches_view("answered", turn.answers)
    if turn.record:
        parts.append(Text(headline(turn.record), style="dim"))
    return parts


def _branches_view(done: str, branches: Sequence[Branch]) -> list[RenderableType]:
    """Tell of what stands beside a message, as far as anything does."""
    if len(branches) < 2:
        return []
    each = ", ".join(
        f"[{cost_line(branch.cost)}]" if branch.is_shown else cost_line(branch.cost)
        for branch in branches
    )
    return [Text(f"{done} in {len(branches)} ways: {each}", style="dim")]
