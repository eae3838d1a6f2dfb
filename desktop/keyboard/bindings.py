"""Every key of the window in one place, from which the sheet of shortcuts is made as well."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from desktop.chat.page import ChatPage
from desktop.keyboard.commands import Commands
from desktop.models.deeds import ModelDeeds
from desktop.settings.deeds import SettingsDeeds
from desktop.strip import StatusStrip
from desktop.watch.deeds import WatchDeeds


class Desk(Protocol):
    """What of the main window is done by keys."""

    commands: Commands
    chat_page: ChatPage
    strip: StatusStrip
    models: ModelDeeds
    settings: SettingsDeeds
    watch: WatchDeeds

    def tr(self, text: str, /) -> str:
        """Return a text in the window's language."""
        ...

    def page_titles(self) -> dict[str, str]:
        """Return what the pages are called, in their order."""
        ...

    def show_page(self, name: str) -> None:
        """Show a page."""
        ...

    def change_theme(self) -> None:
        """Change between light and dark."""
        ...

    def search_page(self) -> None:
        """Go to the search field of the page that is shown."""
        ...

    def new_chat(self) -> None:
        """Begin a new conversation."""
        ...

    def open_conversation(self, conversation_id: str, query_id: str) -> None:
        """Show a conversation where something was found in it."""
        ...

    def open_query(self, query_id: str) -> None:
        """Open what a query cost."""
        ...

    def insert_prompt(self, text: str) -> None:
        """Put a prompt into the field."""
        ...

    def stop(self) -> None:
        """Stop what runs."""
        ...


def bind_commands(window: Desk) -> None:
    """Bind the keys of everything that can be done, and what is found to what shows it."""

    commands, composer, side = window.commands, window.chat_page.composer, window.chat_page.side

    def chat(does: Callable[[], None]) -> Callable[[], None]:
        """Do it on the chat's page only: from another page, its key goes there first."""
        return lambda: does() if window.chat_page.isVisible() else window.show_page("chat")

    commands.add(
        window.tr("Chat"),
        ("new", window.tr("New chat"), "Ctrl+N", window.new_chat),
        ("send", window.tr("Send the prompt"), "Ctrl+Return; Ctrl+Enter", chat(composer.send)),
        ("enter", window.tr("Send, while typing"), "Enter", None),
        ("break", window.tr("Break the line, while typing"), "Shift+Enter", None),
        ("stop", window.tr("Stop what is running"), "Esc", window.stop),
        (
            "again",
            window.tr("Regenerate the last answer"),
            "Ctrl+R",
            chat(window.chat_page.regenerate),
        ),
        ("edit", window.tr("Edit the last question"), "Ctrl+Up", chat(composer.edit_last)),
        ("prompts", window.tr("Prompts"), "Ctrl+P", window.chat_page.setup.open_prompts),
        (
            "setup",
            window.tr("System prompt and sampling"),
            "Ctrl+Shift+P",
            window.chat_page.setup.open_presets,
        ),
        ("attach", window.tr("Attach files"), "Ctrl+Shift+A", chat(composer.attached.choose)),
        ("budget", window.tr("Energy budget"), "Ctrl+B", window.chat_page.setup.open_budget),
        ("rename", window.tr("Rename the conversation"), "F2", chat(side.ask_rename)),
        ("export", window.tr("Export the conversation"), "Ctrl+E", chat(side.ask_export)),
    )
    commands.add(
        window.tr("Models"),
        ("model", window.tr("Choose a model"), "Ctrl+L", window.strip.open_menu),
        ("library", window.tr("Model library"), "Ctrl+Shift+M", window.models.open_library),
        ("file", window.tr("Open a model file"), "Ctrl+O", window.models.ask_file),
        ("load", window.tr("How the model is loaded"), "Ctrl+,", window.models.open_options),
    )
    commands.add(
        window.tr("Monitor"),
        (
            "record",
            window.tr("Record the machine, or stop"),
            "Ctrl+Shift+R",
            window.watch.record_or_stop,
        ),
        ("mark", window.tr("Mark this moment of the recording"), "F9", window.watch.mark),
        ("meter", window.tr("Small window on top"), "Ctrl+Shift+W", window.watch.toggle_meter),
    )
    commands.add(
        window.tr("Window"),
        ("find", window.tr("Search everything"), "Ctrl+K", commands.open_finder),
        ("search", window.tr("Search this page"), "Ctrl+F", window.search_page),
        ("keys", window.tr("Keyboard shortcuts"), "Ctrl+/", commands.open_sheet),
        (
            "zone",
            window.tr("Choose where the electricity is from"),
            "",
            window.settings.choose_zone,
        ),
        ("theme", window.tr("Change between light and dark"), "", window.change_theme),
        ("idle", window.tr("Measure the idle machine"), "", window.settings.measure_idle),
        ("plugs", window.tr("Wall plugs"), "", window.settings.open_plugs),
        *(
            (f"page_{name}", title, f"Ctrl+{number}", partial(window.show_page, name))
            for number, (name, title) in enumerate(window.page_titles().items(), start=1)
        ),
    )
    commands.actions.reach_everywhere("record", "mark", "meter")
    commands.conversation_wanted.connect(window.open_conversation)
    commands.query_wanted.connect(lambda row: window.open_query(row.id))
    commands.model_wanted.connect(window.models.choose)
    commands.prompt_wanted.connect(window.insert_prompt)
