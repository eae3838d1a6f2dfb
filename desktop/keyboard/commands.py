"""What can be done from anywhere in the window, with the keys for it and where it is looked for."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from desktop.bridge import Bridge
from desktop.keyboard.actions import Action, Actions
from desktop.keyboard.finder import Finder
from desktop.keyboard.hits import (
    FinderSource,
    Hit,
    action_source,
    matching_source,
    prompt_source,
)
from desktop.keyboard.sheet import ShortcutSheet
from desktop.theme.bill import when_words
from desktop.theme.palette import Theme
from monitor import figures
from monitor.models.library import Found
from monitor.prompts import Prompt, use
from monitor.store.conversation_search import HIT_END, HIT_START
from monitor.store.conversations import Listed
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.store.records import QueryRow

MOST_HITS = 6


class Commands(QObject):
    """The window's actions: bound to their keys, shown on a sheet, and found by typing.

    :param window: where the keys work
    :param models: returns those that were listed last
    """

    conversation_wanted = Signal(str, str)
    """A conversation's identifier, and the query to show in it, "" for none."""
    query_wanted = Signal(object)
    """The row of a stored query."""
    model_wanted = Signal(object)
    """Path of a model."""
    prompt_wanted = Signal(str)
    """Text of a prompt."""

    def __init__(
        self,
        bridge: Bridge,
        history: History,
        models: Callable[[], list[Found]],
        theme: Theme,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._bridge, self._history, self._models = bridge, history, models
        self._theme, self._window = theme, window
        self.actions = Actions(window)

    def add(self, group: str, *actions: tuple[str, str, str, Callable[[], None] | None]) -> None:
        """Add actions of a group: each its name, title, shortcut, and what it does."""
        words = self._other_words()
        for name, title, shortcut, does in actions:
            self.actions.add(Action(name, group, title, shortcut, does, words.get(name, "")))

    def _other_words(self) -> dict[str, str]:
        """What actions are looked for by besides their titles."""
        return {
            "theme": self.tr("theme, dark mode, light mode, appearance, colours, settings"),
            "setup": self.tr("settings, preferences, temperature, seed, preset"),
            "load": self.tr("settings, preferences, options, context, threads, GPU layers"),
            "zone": self.tr("settings, preferences, carbon, CO2, grid, country, region"),
            "budget": self.tr("settings, limit, joules"),
            "idle": self.tr("settings, calibrate, baseline"),
            "plugs": self.tr("settings, wall power, Shelly, Tasmota"),
            "record": self.tr("start, recording, monitor, watch"),
            "meter": self.tr("floating, always on top, mini, widget"),
            "keys": self.tr("help, hotkeys, key bindings"),
            "library": self.tr("download, Hugging Face, GGUF, add a model"),
        }

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours for what is opened from now on."""
        self._theme = theme

    def open_sheet(self) -> None:
        """Show every shortcut."""
        sheet = ShortcutSheet(self.actions, self._theme, self._window)
        sheet.finished.connect(lambda _result: sheet.deleteLater())
        sheet.open()

    def open_finder(self) -> None:
        """Search everything."""
        sources = (
            FinderSource(self.tr("Conversations"), self._find_conversations),
            action_source(self.tr("Actions"), self.actions),
            prompt_source(self.tr("Prompts"), self._history, self._use_prompt),
            matching_source(self.tr("Models"), self._list_models),
            FinderSource(self.tr("Queries"), self._find_queries),
        )
        Finder(self._bridge, sources, self._theme, self._window).open_over_window()

    # --- sources, asked beside the window's thread ---------------------------------------

    def _find_conversations(self, typed: str) -> list[Hit]:
        return [
            self._conversation(row) for row in self._history.talks.listed(typed, limit=MOST_HITS)
        ]

    def _conversation(self, row: Listed) -> Hit:
        snippet = row.snippet.replace(HIT_START, "").replace(HIT_END, "")
        opened = partial(self.conversation_wanted.emit, row.id, row.hit_query_id or "")
        return Hit(row.title, snippet or when_words(row.updated_at), "chat", opened)

    def _find_queries(self, typed: str) -> list[Hit]:
        if not typed.strip():
            return []
        rows = self._history.browse.rows(Filter(text=typed), limit=MOST_HITS)
        return [self._query(row) for row in rows]

    def _query(self, row: QueryRow) -> Hit:
        energy = figures.marked(row.energy_kind, figures.energy(row.energy_j))
        detail = f"{when_words(row.started_at)} · {row.model} · {energy}"
        title = " ".join(row.prompt.split())[:200]
        return Hit(title, detail, "history", partial(self.query_wanted.emit, row))

    def _list_models(self) -> list[Hit]:
        return [
            Hit(
                f"{model.info.name} {model.info.quantisation}",
                figures.size(model.info.size_bytes),
                "model",
                partial(self.model_wanted.emit, model.path),
            )
            for model in self._models()
            if model.info
        ]

    def _use_prompt(self, prompt: Prompt) -> None:
        if prompt.is_own:
            self._bridge.change(lambda: use(self._history, prompt.id))
        self.prompt_wanted.emit(prompt.text)
