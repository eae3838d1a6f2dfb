"""Tells which columns a table has no room for."""

from collections.abc import Sequence

from PySide6.QtWidgets import QLabel, QWidget

from desktop.theme.widgets import named


class HiddenColumns(QLabel):
    """A quiet word beside a table, there only while columns of it are hidden."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        named(self, "muted")
        self.hide()

    def tell(self, names: Sequence[str], way_out: str) -> None:
        """Say how many there are, and in the tooltip which, and how to see them.

        :param names: titles of what is hidden
        :param way_out: a sentence
        """
        self.setVisible(bool(names))
        if not names:
            return
        one, several = self.tr("1 column hidden"), self.tr("%1 columns hidden")
        self.setText(several.replace("%1", str(len(names))) if names[1:] else one)
        missing = self.tr("No room for: %1.").replace("%1", ", ".join(names))
        self.setToolTip(f"{missing} {way_out}")
        self.setAccessibleDescription(self.toolTip())
