"""One repository of the hub: its models, its card, and the button that fetches one."""

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.models.asking import Asking
from desktop.models.card_text import CardText
from desktop.models.fetching import Ended
from desktop.models.remote_files import RemoteFiles
from desktop.theme.widgets import label, named, tool_button
from monitor import figures
from monitor.hub.access import HubError, Repository
from monitor.hub.card import Card, read_card
from monitor.hub.catalog import Listing, list_models
from monitor.hub.models import free_memory_bytes
from monitor.hub.report import here_share
from monitor.hub.waiting import Tick

SELECTABLE = (
    Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A repository with what a look at it takes: its card's text is laid out ready to be shown."""

    listing: Listing
    shares: tuple[float | None, ...]
    free_bytes: int
    card: Card | None
    text: str


def say(where: QLabel, words: str, is_problem: bool = False) -> None:
    """Show words, in the colour of what went wrong if they tell of that."""
    named(where, "warning" if is_problem else "muted")
    where.style().polish(where)
    where.setText(words)


class RepositoryView(QWidget):
    """Shows a repository, or says what to do to see one."""

    fetch_wanted = Signal(object, object, object)
    """A listing, one of its models, and the cards that were read."""

    def __init__(self, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._seen: _Seen | None = None
        self._base_card: Card | None = None
        self._wanted = ""
        self._is_busy = False
        self._looks = Asking(bridge, self._show, self._refuse, self)
        self._base_looks = Asking(bridge, self._show_base, self._refuse_base, self)
        self._title = label("", "figure")
        self._title.setTextInteractionFlags(SELECTABLE)
        self._terms = label("", "muted", wrap=True)
        self._terms.setTextInteractionFlags(SELECTABLE)
        self.files = RemoteFiles()
        self.files.changed.connect(self._on_changed)
        self.files.fetch_wanted.connect(self._fetch)
        self.card = CardText()
        self.base = tool_button(self.tr("Base model's card"))
        self.base.setCheckable(True)
        self.base.setToolTip(
            self.tr("Reads the card of the model this one is made from, and its training emissions")
        )
        self.base.toggled.connect(self._on_base)
        self._note = label("", "muted", wrap=True)
        self.fetch = named(QPushButton(self.tr("Download")), "primary")
        self.fetch.setAutoDefault(False)
        self.fetch.clicked.connect(self._fetch)
        self._words = label("", "muted", wrap=True)
        self._words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._words.setTextInteractionFlags(SELECTABLE)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._words)
        self._stack.addWidget(self._build())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 0)
        layout.addWidget(self._stack)
        self.say(self.tr("Choose a repository to see its models."))

    def _build(self) -> QWidget:
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.files)
        split.addWidget(self.card)
        split.setChildrenCollapsible(False)
        split.setSizes([170, 170])
        buttons = QHBoxLayout()
        buttons.addWidget(self._note, 1)
        buttons.addWidget(self.base)
        buttons.addWidget(self.fetch)
        whole = QWidget()
        layout = QVBoxLayout(whole)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self._title)
        layout.addWidget(self._terms)
        layout.addWidget(split, 1)
        layout.addLayout(buttons)
        return whole

    def say(self, words: str, is_problem: bool = False) -> None:
        """Show a few words in place of a repository."""
        say(self._words, words, is_problem)
        self._stack.setCurrentIndex(0)

    # --- looking -------------------------------------------------------------------------

    def look(self, name: str) -> None:
        """Ask the hub what a repository has."""
        if name == self._wanted:
            return
        self._wanted = name
        self._seen = None
        self.say(self.tr("Reading what %1 has …").replace("%1", name))

        def question(tick: Tick) -> _Seen:
            listing = list_models(name, tick)
            try:
                card = read_card(listing.name, tick)
            except HubError:
                card = None  # the models can be fetched without it
            shares = tuple(here_share(listing, model) for model in listing.models)
            return _Seen(listing, shares, free_memory_bytes(), card, card.text if card else "")

        self._looks.ask(question)

    def _refuse(self, problem: str) -> None:
        self._wanted = ""  # so that choosing it again asks again
        self.say(problem, is_problem=True)

    def _show(self, seen: _Seen) -> None:
        listing = seen.listing
        if not listing.models:
            words = self.tr("%1 has no GGUF model. Choose another repository.")
            self.say(words.replace("%1", listing.name))
            return
        self._seen, self._base_card = seen, None
        self._title.setText(listing.name)
        terms = self.tr(
            "Its authors give it only to those who accept their terms: open %1, accept them, then "
            "log in with `hf auth login` or set HF_TOKEN."
        )
        self._terms.setText(terms.replace("%1", Repository(listing.name).page))
        self._terms.setVisible(listing.gated)
        self.base.setChecked(False)
        self.base.setVisible(bool(seen.card and seen.card.base_models))
        self.files.show_listing(listing, seen.shares, seen.free_bytes)
        self._show_card(seen.text)
        self._stack.setCurrentIndex(1)
        self._on_changed()

    def _show_card(self, text: str) -> None:
        self.card.show_markdown(text or self.tr("This repository shows no card."))

    # --- the base model ------------------------------------------------------------------

    def _on_base(self, is_wanted: bool) -> None:
        if self._seen is None or self._seen.card is None:
            return
        if not is_wanted:
            self._show_card(self._seen.text)
            return
        name = self._seen.card.base_models[0]
        self._show_card(self.tr("Reading the card of %1 …").replace("%1", name))

        def question(tick: Tick) -> tuple[Card | None, str]:
            card = read_card(name, tick)
            return card, card.text if card else ""

        self._base_looks.ask(question)

    def _show_base(self, found: tuple[Card | None, str]) -> None:
        self._base_card, text = found
        if self.base.isChecked():
            self._show_card(text)

    def _refuse_base(self, problem: str) -> None:
        if self.base.isChecked():
            self._show_card(problem)

    # --- fetching ------------------------------------------------------------------------

    def set_busy(self, is_busy: bool) -> None:
        """Take note of whether a download runs: there is one at a time."""
        self._is_busy = is_busy
        self._on_changed()

    def show_ended(self, ended: Ended) -> None:
        """Show how much of a model is here now."""
        self.files.set_share(ended.model, ended.share)

    def _on_changed(self) -> None:
        chosen = self.files.chosen()
        if chosen is None:
            return
        model, share = chosen
        is_whole = share == 1
        self.fetch.setEnabled(not is_whole and not self._is_busy)
        self.fetch.setText(self.tr("Go on") if share and not is_whole else self.tr("Download"))
        if is_whole:
            self._note.setText(self.tr("It is here already."))
            return
        left_bytes = round(model.size_bytes * (1 - (share or 0)))
        self._note.setText(self.tr("%1 to fetch").replace("%1", figures.size(left_bytes)))

    def _fetch(self) -> None:
        chosen = self.files.chosen()
        if self._seen and chosen and self.fetch.isEnabled():
            cards = [card for card in (self._seen.card, self._base_card) if card]
            self.fetch_wanted.emit(self._seen.listing, chosen[0], cards)
