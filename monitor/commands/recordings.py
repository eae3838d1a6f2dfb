"""The commands about recordings: ``llamawatt watch list``, ``show``, ``export`` and so on."""

from pathlib import Path

import click

from monitor.commands.number_option import Whole
from monitor.commands.terminal import (
    echo_json,
    json_option,
    open_history,
    show,
    stderr,
    stdout,
    tell_more,
)
from monitor.recorded import Recording, State
from monitor.recording_forms import (
    recording_json,
    recording_view,
    recordings_table,
    write_recording,
)
from monitor.store.history import History
from monitor.store.identifiers import utc_now
from monitor.store.recordings import Recordings

EMPTY = "Nothing is recorded yet. Try: llamawatt watch --seconds 10 --record"


@click.command("list")
@click.option("--limit", type=Whole(1), default=20, show_default=True)
@json_option
def list_recordings(limit: int, as_json: bool) -> None:
    """List what was recorded, the newest first.

    Example: llamawatt watch list
    """
    with open_history() as history:
        found = Recordings(history.store).listed(limit + 1)
    if as_json:
        echo_json([recording_json(each) for each in found[:limit]])
    elif found:
        stdout.print(recordings_table(found[:limit]))
        tell_more(found, limit)
    else:
        stderr.print(EMPTY)


@click.command("show")
@click.argument("recording_id")
@json_option
def show_recording(recording_id: str, as_json: bool) -> None:
    """Show a recording's bill, and the bills between its marks; the end of an ID is enough.

    Example: llamawatt watch show 3fa85f64
    """
    with open_history() as history:
        recorded = Recordings(history.store).load(_found(history, recording_id).id)
    show(recording_view(recorded), lambda: recording_json(recorded.recording, recorded), as_json)


@click.command("export")
@click.argument("recording_id")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file of that name.")
@json_option
def export_recording(recording_id: str, file: Path, force: bool, as_json: bool) -> None:
    """Write a recording to FILE: its curve as CSV, or its bills if FILE ends in .json.

    Example: llamawatt watch export 3fa85f64 render.csv
    """
    with open_history() as history:
        recorded = Recordings(history.store).load(_found(history, recording_id).id)
    write_recording(recorded, file, force)
    if as_json:
        echo_json({"id": recorded.recording.id, "file": str(file)})
    else:
        stderr.print(f"Written: {file}")


@click.command("rename")
@click.argument("recording_id")
@click.argument("name")
@json_option
def rename_recording(recording_id: str, name: str, as_json: bool) -> None:
    """Give a recording another name; "" takes it away.

    Example: llamawatt watch rename 3fa85f64 "Compiling the kernel"
    """
    with open_history() as history:
        found = _found(history, recording_id)
        Recordings(history.store).rename(found.id, name)
    if as_json:
        echo_json({"id": found.id, "name": name.strip()})


@click.command("note")
@click.argument("recording_id")
@click.argument("text")
@json_option
def note_recording(recording_id: str, text: str, as_json: bool) -> None:
    """Keep a note with a recording in place of the one before; "" removes it.

    Example: llamawatt watch note 3fa85f64 "on battery"
    """
    with open_history() as history:
        found = _found(history, recording_id)
        Recordings(history.store).note(found.id, text)
    if as_json:
        echo_json({"id": found.id, "note": text.strip()})


@click.command("delete")
@click.argument("recording_id")
@click.option("--undo", is_flag=True, help="Bring a deleted recording back.")
@json_option
def delete_recording(recording_id: str, undo: bool, as_json: bool) -> None:
    """Delete a recording; --undo brings it back.

    Example: llamawatt watch delete 3fa85f64
    """
    with open_history() as history:
        found, recordings = _found(history, recording_id), Recordings(history.store)
        if found.state is State.RUNNING:
            raise click.ClickException("It is still being recorded; stop it before.")
        if undo:
            recordings.restore(found.id)
        else:
            recordings.delete(found.id, utc_now())
    if as_json:
        echo_json({"id": found.id, "deleted": not undo})
    elif not undo:
        back = f"llamawatt watch delete --undo {found.id}"
        stderr.print(f"Deleted. To undo: {back}", soft_wrap=True)


COMMANDS = (
    list_recordings,
    show_recording,
    export_recording,
    rename_recording,
    note_recording,
    delete_recording,
)


def _found(history: History, recording_id: str) -> Recording:
    """Return a recording by its identifier or one end of it.

    :raises click.ClickException: if there is none, or several
    """
    try:
        return Recordings(history.store).get(recording_id)
    except KeyError as error:
        raise click.ClickException(str(error.args[0])) from None
