"""The plane of score and energy with its controls and its legend; as a picture too."""

from pathlib import Path

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop.compare.choice import Choice
from desktop.compare.model import CompareModel
from desktop.compare.plane import EnergyPlane
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named, tool_button

SHARPNESS, TITLE_HEIGHT, MARGIN = 2, 34, 12
"""Of a picture: pixels a pixel of the window, and room for its title."""


class PlaneView(QWidget):
    """Shows the :attr:`CompareModel.standing` as points."""

    said = Signal(str)

    def __init__(self, model: CompareModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model, self._theme = model, theme
        self.plane = EnergyPlane(theme)
        self.log = QCheckBox(self.tr("Logarithmic energy"))
        self.log.clicked.connect(lambda is_log: model.choose(is_log=is_log))
        self.routing = QCheckBox(self.tr("Simulated routing"))
        self.routing.setToolTip(
            self.tr(
                "What a small model that passes on what it is unsure of to a larger one would "
                "have scored and cost, reckoned from what each item came to"
            )
        )
        self.routing.toggled.connect(model.want_cascades)
        self._progress = label("", "muted")
        save = tool_button(self.tr("Save as PNG …"))
        save.clicked.connect(self._ask_file)
        row = QHBoxLayout()
        row.setSpacing(14)
        for widget in (self.log, self.routing, self._progress):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(save)
        self._legend = label("", "legend", wrap=True)
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self._nothing = label(
            self.tr("No energy was measured in these runs, so there is nothing to draw."), "muted"
        )
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        drawn = named(QWidget(), "plain")
        inner = QVBoxLayout(drawn)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(4)
        inner.addWidget(self.plane, 1)
        inner.addWidget(self._legend)
        self._drawn = QStackedWidget()
        self._drawn.addWidget(drawn)
        self._drawn.addWidget(self._nothing)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(row)
        layout.addWidget(self._drawn, 1)
        model.simulated.connect(self.show_cascades)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self.plane.set_theme(theme)
        self._write_legend()

    def show_choice(self, choice: Choice) -> None:
        """Show what is chosen, and its points."""
        self.log.setChecked(choice.is_log)
        standing = self._model.standing
        if standing is not self.plane.standing or choice.is_log != self.plane.is_log:
            self.plane.show_standing(standing, choice.is_log)
        has_points = bool(self.plane.families())
        self._drawn.setCurrentIndex(0 if has_points else 1)
        self.routing.setEnabled(standing is not None and standing.measured > 1)
        self._write_legend()

    def show_cascades(self) -> None:
        """Show simulated routing, or say how far it has come."""
        found = self._model.cascades
        does_pay = self.plane.show_cascades(found or ())
        if not self._model.wants_cascades:
            text = ""
        elif found is None:
            text = self.tr("Routing is being simulated …")
        elif not found:
            text = self.tr("There are no two models here between which items could be routed.")
        elif does_pay:
            text = self.tr("Of %1 pairs, those that score most for their energy")
        else:
            text = self.tr("None of %1 pairs scores more for its energy than a model alone.")
        text = text.replace("%1", str(len(found or ())))
        self._progress.setText(text)
        self._write_legend()

    def _write_legend(self) -> None:
        accent, ground = self._theme.accent, self._theme.decode
        parts = [
            f'<span style="color:{color}">{shape}</span>&nbsp;{_plain(name)}'
            for name, (color, shape) in self.plane.families().items()
        ]
        parts.append(f'<span style="color:{accent}">━</span>&nbsp;{_plain(self.tr("frontier"))}')
        pick = self._model.standing and self._model.standing.pick
        if pick and pick.is_sure:
            words = _plain(self.tr("good enough"))
            parts.append(f'<span style="color:{accent}">◯</span>&nbsp;{words}')
        words = _plain(self._band_words())
        parts.append(f'<span style="background:{ground}">&nbsp;&nbsp;{words}&nbsp;&nbsp;</span>')
        if self._model.cascades:
            parts.append(f"╌&nbsp;{_plain(self.tr('simulated routing'))}")
        self._legend.setText("&nbsp;&nbsp; ".join(parts))

    def _band_words(self) -> str:
        points = self._model.choice.points
        text = self.tr("within 1 point of the best") if points == 1 else ""
        return text or self.tr("within %1 points of the best").replace("%1", f"{points:g}")

    # --- a picture -----------------------------------------------------------------------

    def _ask_file(self) -> None:
        standing = self._model.standing
        if standing is None:
            return
        name, _ = QFileDialog.getSaveFileName(
            self, self.tr("Save the picture"), f"{standing.board.exam.key}.png", "PNG (*.png)"
        )
        if name:
            try:
                self.save_picture(Path(name))
            except OSError as error:
                text = self.tr("%1 could not be written: %2.").replace("%1", name)
                self.said.emit(text.replace("%2", error.strerror or str(error)))
            else:
                self.said.emit(self.tr("%1 was written.").replace("%1", name))

    def save_picture(self, path: Path) -> None:
        """Draw the plane with its title and legend into a PNG file.

        :raises OSError: if it cannot be written
        """
        path.touch()  # Qt says only that it failed, not why.
        if not self.picture().save(str(path), "PNG"):
            raise OSError(self.tr("the picture could not be made"))

    def picture(self) -> QPixmap:
        """Return the plane with its title and legend."""
        standing, size = self._model.standing, self._drawn.size()
        width, height = size.width() + 2 * MARGIN, size.height() + TITLE_HEIGHT + MARGIN
        made = QPixmap(width * SHARPNESS, height * SHARPNESS)
        made.setDevicePixelRatio(SHARPNESS)
        made.fill(QColor(self._theme.ground))
        painter = QPainter(made)
        font = self.font()
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(self._theme.text))
        title = standing.board.exam.title if standing else ""
        painter.drawText(
            MARGIN, 0, size.width(), TITLE_HEIGHT, int(Qt.AlignmentFlag.AlignVCenter), title
        )
        self._drawn.render(painter, QPoint(MARGIN, TITLE_HEIGHT))
        painter.end()
        return made


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(" ", "&nbsp;")
