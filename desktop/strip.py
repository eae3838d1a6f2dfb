"""The status strip: model, context, power now, and what this session has cost."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QProgressBar, QToolButton, QWidget

from desktop.live.moments import Moments
from desktop.theme.bill import power_words
from desktop.theme.widgets import label, tool_button
from monitor import figures
from monitor.carbon.intensity import Zone
from monitor.energy.account import weakest
from monitor.energy.parts import is_lower_bound
from monitor.models.library import Found
from monitor.power.channel import Kind
from monitor.store.records import QueryRecord

MARGIN_PX, GAP_PX = 12, 14

BAR_PX = 5
"""Height of the bar that shows a load, along the lower edge."""

LEAST_NAME_PX = 60
"""A model's name is not cut shorter than this."""

NAME_SHARE = 1 / 3
"""Of the strip's width: a model may take so much before the session is shortened."""

WIDEST_POWER = "● 000 mW"
"""Room is kept for it, so that nothing moves as the watts change."""


class StatusStrip(QWidget):
    """Always visible, whatever the page.

    :param moments: the present watts
    """

    model_chosen = Signal(object)
    file_wanted = Signal()
    menu_wanted = Signal()
    unload_wanted = Signal()
    library_wanted = Signal()
    options_wanted = Signal()
    zone_wanted = Signal()

    def __init__(self, moments: Moments, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("strip")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._moments = moments
        self._session_j, self._session_g = 0.0, 0.0
        self._answers = self._measured = self._costed = 0
        self._session_kind: Kind | None = None
        self._session_lacks = False
        self._listed: tuple[list[Found], Path | None, bool] | None = None
        self._model = tool_button(self.tr("No model"))
        self._model.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._model.setToolTip(self.tr("Choose a model (Ctrl+L)"))
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self.menu_wanted)
        self._model.setMenu(self._menu)
        # In no layout: it comes and goes without the whole window being laid out anew, and takes
        # no room from what is written.
        self._progress = QProgressBar(self)
        self._progress.setTextVisible(False)
        self._progress.setAccessibleName(self.tr("Load progress"))
        self._progress.hide()
        self._context = label("", "muted")
        self._context.setToolTip(
            self.tr("Tokens this conversation takes of the context, and how many it holds")
        )
        self._power = label("")
        self._power.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._power.setAccessibleDescription(self.tr("Power now"))
        self._session = label("", "muted")
        self._session_forms: tuple[str, ...] = ("",)
        self._name, self._setup = "", ""
        self._zone = tool_button("")
        self._zone.clicked.connect(self.zone_wanted)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(MARGIN_PX, 6, MARGIN_PX, 6)
        layout.setSpacing(GAP_PX)
        layout.addWidget(self._model)
        layout.addWidget(self._context)
        layout.addStretch(1)
        for widget in (self._power, self._session, self._zone):
            layout.addWidget(widget)
        moments.passed.connect(self.refresh_power)
        self._show_session()

    @property
    def power_label(self) -> QLabel:
        """Where the present power stands."""
        return self._power

    def open_menu(self) -> None:
        """Let the person choose a model."""
        self._model.showMenu()

    def show_models(self, models: list[Found], chosen: Path | None, loaded: bool) -> None:
        """Fill the model menu."""
        shown = (models, chosen, loaded)
        if shown == self._listed:
            return  # the menu may be open
        self._listed = shown
        self._menu.clear()
        for model in models:
            action = QAction(self._entry(model), self._menu)
            action.setEnabled(model.info is not None)
            action.setCheckable(True)
            action.setChecked(model.path == chosen)
            action.triggered.connect(lambda _checked, path=model.path: self.model_chosen.emit(path))
            self._menu.addAction(action)
        self._menu.addSeparator()
        self._menu.addAction(self.tr("Model library …"), self.library_wanted.emit)
        self._menu.addAction(self.tr("Open a GGUF file …"), self.file_wanted.emit)
        self._menu.addAction(self.tr("How it is loaded …"), self.options_wanted.emit)
        unload = self._menu.addAction(self.tr("Unload the model"), self.unload_wanted.emit)
        unload.setEnabled(loaded)

    def _entry(self, model: Found) -> str:
        if model.info is None:
            return self.tr("%1 (cannot be used)").replace("%1", model.name)
        info = model.info
        facts = (
            f"{figures.count(info.parameters)} {info.quantisation}, {figures.size(info.size_bytes)}"
        )
        return f"{info.name}   {facts}"

    def show_model(self, model: Found | None, place: str) -> None:
        """Name the model in use and what it runs on, "" while it is not loaded."""
        self._name, self._setup = self.tr("Choose a model"), ""
        if model and model.info:
            place = place or self.tr("not loaded")
            self._name, self._setup = model.info.name, f" · {model.info.quantisation} · {place}"
        self._model.setAccessibleName(f"{self._name}{self._setup}")
        self._model.setToolTip(
            "\n".join((self._model.accessibleName(), self.tr("Choose a model (Ctrl+L)")))
        )
        self._fit()

    def showEvent(self, event: QShowEvent) -> None:
        """Show the watts of now, not of when it was hidden."""
        super().showEvent(event)
        self.refresh_power()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Say as much as there is room for."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Shorten, where there is not room for all, a long name to its share, then the session,
        and then the name further.

        Quantisation and place stay: they tell one model from another.
        """
        self._power.setMinimumWidth(self._power.fontMetrics().horizontalAdvance(WIDEST_POWER))
        beside = (self._context, self._power, self._zone)
        widths = (max(each.sizeHint().width(), each.minimumWidth()) for each in beside)
        room = self.width() - 2 * MARGIN_PX - 4 * GAP_PX - sum(widths)
        self._show_name(self._name)
        whole = self._model.sizeHint().width()
        name_px = self._model.fontMetrics().horizontalAdvance(self._name)
        shortest = whole - max(name_px - LEAST_NAME_PX, 0)
        share = min(whole, max(round(self.width() * NAME_SHARE), shortest))
        metrics = self._session.fontMetrics()
        for form in self._session_forms:
            left = room - metrics.horizontalAdvance(form)
            if left >= share:
                break
        self._session.setText(form)
        if left < whole:
            metrics = self._model.fontMetrics()
            least = max(name_px - (whole - left), LEAST_NAME_PX)
            right = Qt.TextElideMode.ElideRight
            self._show_name(metrics.elidedText(self._name, right, least))

    def _show_name(self, name: str) -> None:
        self._model.setText(f"{name}{self._setup}  ▾")

    def show_load(self, fraction: float | None) -> None:
        """Show how far a load has come, or that there is none."""
        # The value first: a bar that is shown paints at once, and the whole window with it.
        self._progress.setValue(round(100 * (fraction or 0)))
        below = self._model.geometry()
        self._progress.setGeometry(below.left(), self.height() - BAR_PX, below.width(), BAR_PX)
        self._progress.setVisible(fraction is not None)

    def show_context(self, used: int, size: int) -> None:
        """Show how full the context is."""
        self._context.setText(
            self.tr("context %1 / %2").replace("%1", f"{used:,}").replace("%2", f"{size:,}")
        )

    def show_zone(self, zone: Zone) -> None:
        """Name the zone whose electricity CO2 is reckoned with."""
        name = self.tr("World mean") if zone.code == "WORLD" else zone.name
        self._zone.setText(f"{name} · {figures.intensity(zone.g_per_kwh)} g/kWh")
        self._zone.setToolTip(
            self.tr(
                "Carbon intensity of %1, %2: %3. Click to choose where your electricity is from."
            )
            .replace("%1", zone.name)
            .replace("%2", str(zone.year))
            .replace("%3", zone.source)
        )
        self._fit()

    def add_answer(self, record: QueryRecord) -> None:
        """Count an answer into the session's sums."""
        if not record.bill.lines:
            return  # it was refused before anything was computed
        self._answers += 1
        total = record.bill.total()
        if total.energy and total.kind:
            self._measured += 1
            self._session_j += total.energy.joules
            self._session_kind = weakest(filter(None, (self._session_kind, total.kind)))
            self._session_lacks |= is_lower_bound(record.bill)
            if carbon := record.footprint:
                self._costed += 1
                self._session_g += carbon.grams
        self._show_session()

    def _show_session(self) -> None:
        if self._measured:
            energy = figures.marked(self._session_kind, figures.energy(self._session_j))
            energy = figures.at_least(energy, self._session_lacks)
            answers = self._answers_words()
            is_least = self._session_lacks or self._costed < self._measured
            grams = figures.mass(self._session_g if self._costed else None)
            grams = figures.at_least(grams, is_least)
            cost = f"{energy} · {grams} CO₂e"
            self._session_forms = (f"{self.tr('Session')}: {answers} · {cost}", cost, energy)
            told = self.tr("What the answers since the start have cost")
            self._session.setToolTip(f"{self._session_forms[0]}\n{told}")
        self._fit()

    def _answers_words(self) -> str:
        if self._measured < self._answers:
            words = self.tr("%1 of %2 answers measured")
            return words.replace("%1", str(self._measured)).replace("%2", str(self._answers))
        if self._answers == 1:
            return self.tr("1 answer")
        return self.tr("%1 answers").replace("%1", str(self._answers))

    def refresh_power(self) -> None:
        """Show the present watts, while anybody can see them."""
        if not self.isVisible():
            return
        now = self._moments.now
        text = figures.marked(now.kind, figures.power(now.total_w))
        if text != self._power.text():
            self._power.setText(text)
            self._fit()
        self._power.setToolTip(power_words(now))
