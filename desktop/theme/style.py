"""Gives the program a theme: the palette and style sheet its widgets are drawn with."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from desktop.theme.palette import DARK, LIGHT, Theme


def system_theme() -> Theme:
    """Return the theme the system asks for."""
    scheme = QGuiApplication.styleHints().colorScheme()
    return DARK if scheme == Qt.ColorScheme.Dark else LIGHT


THEME = "theme"


def wanted_theme() -> Theme:
    """Return the theme a person has chosen, else the one the system asks for."""
    chosen = {theme.name: theme for theme in (LIGHT, DARK)}
    return chosen.get(str(QSettings().value(THEME, "")), system_theme())


def keep_theme(theme: Theme) -> None:
    """Keep a choice; that of the system's own means to follow the system again."""
    QSettings().setValue(THEME, "" if theme is system_theme() else theme.name)


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Give the whole program a theme."""
    with _all_widgets_kept():
        app.setStyle("Fusion")
        app.setPalette(_palette(theme))
        app.setStyleSheet(_style_sheet(theme))


@contextmanager
def _all_widgets_kept() -> Iterator[None]:
    """Leave dead widgets to a later collection of garbage while Qt styles all there are.

    It goes through a list made at the beginning, and comes to grief on one that is deleted
    meanwhile, as are the menus of a plot whose dialog has long been closed.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _palette(theme: Theme) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    for roles, color in (
        ((role.Window, role.Button), theme.ground),
        ((role.Base, role.ToolTipBase), theme.surface),
        ((role.AlternateBase, role.Midlight), theme.raised),
        (
            (role.WindowText, role.Text, role.ButtonText, role.ToolTipText, role.BrightText),
            theme.text,
        ),
        ((role.PlaceholderText,), theme.muted),
        ((role.Highlight, role.Link, role.Accent), theme.accent),
        ((role.HighlightedText,), theme.on_accent),
        ((role.Mid, role.Dark), theme.line),
    ):
        for one in roles:
            palette.setColor(one, QColor(color))
    for one in (role.Text, role.WindowText, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, one, QColor(theme.muted))
    return palette


def _picture(name: str, theme: Theme) -> str:
    """Return the file of a mark in a theme's colour: style sheets take pictures from files only."""
    return Path(str(files("resources") / "icons" / f"{name}-{theme.name}.svg")).as_posix()


def _style_sheet(theme: Theme) -> str:
    return f"""
    QWidget#strip, QWidget#dock {{ background: {theme.surface}; }}
    QWidget#strip {{ border-bottom: 1px solid {theme.line}; }}
    QWidget#dock {{ border-top: 1px solid {theme.line}; }}
    QWidget#navigation {{ background: {theme.ground}; border-right: 1px solid {theme.line}; }}
    QWidget#dock QToolButton {{ padding: 3px 8px; }}
    QWidget#navigation QToolButton {{
        border: none; border-radius: 6px; padding: 6px 4px; color: {theme.muted};
        background: transparent;
    }}
    QWidget#navigation QToolButton:hover {{ background: {theme.raised}; }}
    QWidget#navigation QToolButton:checked {{
        background: {theme.raised}; color: {theme.text}; font-weight: 600;
    }}
    QLabel#muted, QLabel#legend {{ color: {theme.muted}; }}
    QLabel#warning {{ color: {theme.warning}; }}
    QLabel#figure {{ font-size: 12pt; font-weight: 600; }}
    QLabel#title {{ font-size: 15pt; font-weight: 600; }}
    QFrame#card {{
        background: {theme.surface}; border: 1px solid {theme.line}; border-radius: 8px;
    }}
    QFrame#question {{ background: {theme.raised}; border: none; border-radius: 8px; }}
    QFrame#notice {{ background: {theme.raised}; border-bottom: 1px solid {theme.line}; }}
    QPushButton, QToolButton {{
        border: 1px solid {theme.line}; border-radius: 6px; padding: 5px 10px;
        background: {theme.surface};
    }}
    QPushButton:hover, QToolButton:hover {{ background: {theme.raised}; }}
    QPushButton:disabled, QToolButton:disabled {{ color: {theme.muted}; }}
    QPushButton#suggestion {{ text-align: left; padding: 9px 14px; }}
    QPushButton#primary {{
        background: {theme.accent}; color: {theme.on_accent}; border-color: {theme.accent};
        font-weight: 600;
    }}
    QPushButton#primary:disabled {{
        background: {theme.raised}; color: {theme.muted}; border-color: {theme.line};
    }}
    QPushButton:focus, QToolButton:focus, QPlainTextEdit:focus, QLineEdit:focus {{
        border: 1px solid {theme.accent};
    }}
    QToolButton#chip {{
        border-radius: 11px; padding: 2px 9px 2px 6px; background: {theme.raised};
    }}
    QToolButton#chip:hover {{ border-color: {theme.accent}; }}
    QToolButton:checked {{ background: {theme.raised}; border-color: {theme.accent}; }}
    QToolButton#small {{
        border: none; padding: 3px; background: transparent; color: {theme.muted};
    }}
    QToolButton#small:hover {{ background: {theme.raised}; color: {theme.text}; }}
    QToolButton#small:checked {{ background: {theme.raised}; }}
    QToolButton#small:disabled {{ color: {theme.line}; }}
    QToolButton#small:focus {{ border: 1px solid {theme.accent}; }}
    QToolButton::menu-indicator {{ image: none; width: 0; }}
    QPushButton#bill {{
        border: none; background: transparent; color: {theme.muted}; padding: 3px 4px;
        text-align: left;
    }}
    QPushButton#bill:hover {{ color: {theme.text}; background: {theme.raised}; }}
    QPushButton#bill:focus {{ color: {theme.text}; border: 1px solid {theme.accent}; }}
    QPlainTextEdit, QLineEdit, QTextBrowser {{
        background: {theme.surface}; border: 1px solid {theme.line}; border-radius: 6px;
        selection-background-color: {theme.accent}; selection-color: {theme.on_accent};
    }}
    QLineEdit {{ padding: 5px 8px; }}
    QPlainTextEdit {{ padding: 4px; }}
    QComboBox, QAbstractSpinBox {{
        background: {theme.surface}; border: 1px solid {theme.line}; border-radius: 6px;
        padding: 1px 8px; min-height: 24px; selection-background-color: {theme.accent};
        selection-color: {theme.on_accent};
    }}
    QAbstractSpinBox {{ padding: 1px 0; min-height: 22px; }}
    QComboBox:focus, QAbstractSpinBox:focus {{ border-color: {theme.accent}; }}
    QComboBox:disabled, QAbstractSpinBox:disabled {{
        background: {theme.ground}; color: {theme.muted};
    }}
    QComboBox::drop-down, QDateEdit::drop-down {{
        subcontrol-origin: border; subcontrol-position: center right; width: 22px; border: none;
    }}
    QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{
        subcontrol-origin: border; width: 20px; border: none; background: none;
    }}
    QAbstractSpinBox::up-button {{ subcontrol-position: top right; padding-top: 3px; }}
    QAbstractSpinBox::down-button {{ subcontrol-position: bottom right; padding-bottom: 3px; }}
    QComboBox::down-arrow, QAbstractSpinBox::down-arrow {{
        image: url({_picture("down", theme)}); width: 9px; height: 9px;
    }}
    QAbstractSpinBox::up-arrow {{
        image: url({_picture("up", theme)}); width: 9px; height: 9px;
    }}
    QComboBox::down-arrow:disabled, QAbstractSpinBox::down-arrow:disabled,
    QAbstractSpinBox::up-arrow:disabled {{ image: none; }}
    QSlider::groove:horizontal {{ height: 4px; border-radius: 2px; background: {theme.line}; }}
    QSlider::sub-page:horizontal {{ border-radius: 2px; background: {theme.accent}; }}
    QSlider::handle:horizontal {{
        width: 12px; height: 12px; margin: -5px 0; border-radius: 7px;
        border: 1px solid {theme.muted}; background: {theme.surface};
    }}
    QSlider::handle:horizontal:focus {{
        border-color: {theme.accent}; background: {theme.accent};
    }}
    QSlider::sub-page:horizontal:disabled {{ background: {theme.line}; }}
    QSlider::handle:horizontal:disabled {{
        border-color: {theme.line}; background: {theme.ground};
    }}
    QTextBrowser#answer, QTextBrowser#codeText, QTextBrowser#thought {{
        border: 1px solid transparent; border-radius: 4px; background: transparent; padding: 0;
    }}
    QTextBrowser#answer:focus, QTextBrowser#codeText:focus, QTextBrowser#thought:focus {{
        border-color: {theme.accent};
    }}
    QTextBrowser#thought {{
        border-left: 2px solid {theme.line}; border-radius: 0; color: {theme.muted};
        padding-left: 10px;
    }}
    QFrame#code {{
        background: {theme.surface}; border: 1px solid {theme.line}; border-radius: 8px;
    }}
    QWidget#codeHead {{
        background: {theme.raised}; border-bottom: 1px solid {theme.line};
        border-top-left-radius: 7px; border-top-right-radius: 7px;
    }}
    QToolButton#codeCopy, QToolButton#fold {{
        border: 1px solid transparent; background: transparent; color: {theme.muted};
        padding: 2px 8px;
    }}
    QToolButton#codeCopy:hover, QToolButton#fold:hover {{ color: {theme.text}; }}
    QToolButton#codeCopy:focus, QToolButton#fold:focus {{ border-color: {theme.accent}; }}
    QListView, QTableView {{
        background: {theme.surface}; border: 1px solid {theme.line}; border-radius: 6px;
        outline: none;
    }}
    QListView#conversations {{ border: none; background: transparent; }}
    QListView:focus, QTableView:focus {{ border-color: {theme.accent}; }}
    QListView::item {{ padding: 6px 8px; border-radius: 4px; }}
    QTableView::item {{ padding: 0 5px; border: none; }}
    QListView::item:focus {{ border: 1px solid {theme.accent}; padding: 5px 7px; }}
    QTableView::item:focus {{ border: 1px solid {theme.accent}; padding: 0 4px; }}
    QListView::item:selected, QTableView::item:selected {{
        background: {theme.raised}; color: {theme.text};
    }}
    QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
    QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
    QScrollBar::handle {{ background: {theme.line}; border-radius: 4px; margin: 1px; }}
    QScrollBar::handle:vertical {{ min-height: 28px; }}
    QScrollBar::handle:horizontal {{ min-width: 28px; }}
    QScrollBar::handle:hover {{ background: {theme.muted}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QAbstractScrollArea::corner {{ background: transparent; border: none; }}
    QTabWidget::pane {{ border: 1px solid {theme.line}; border-radius: 6px; }}
    QTabBar::tab {{
        background: transparent; color: {theme.muted}; border: none; padding: 6px 14px;
        border-bottom: 2px solid transparent;
    }}
    QTabBar::tab:selected {{ color: {theme.text}; border-bottom-color: {theme.accent}; }}
    QTabBar::tab:hover {{ color: {theme.text}; }}
    QTabBar::tab:focus {{
        border: 1px solid {theme.accent}; border-bottom-width: 2px; padding: 5px 13px 6px 13px;
    }}
    QTabBar {{ qproperty-drawBase: 0; outline: none; }}
    QTabBar QToolButton {{ padding: 0; }}
    QListWidget {{ padding: 2px; }}
    QRadioButton::indicator {{
        width: 12px; height: 12px; border: 1px solid {theme.muted}; border-radius: 7px;
        background: {theme.surface};
    }}
    QRadioButton::indicator:checked {{
        width: 6px; height: 6px; border: 4px solid {theme.accent};
    }}
    QRadioButton::indicator:checked:disabled {{ border-color: {theme.muted}; }}
    QCheckBox::indicator, QListWidget::indicator {{
        width: 14px; height: 14px; border: 1px solid {theme.muted}; border-radius: 3px;
        background: {theme.surface};
    }}
    QCheckBox::indicator:checked, QListWidget::indicator:checked {{
        background: {theme.accent}; border-color: {theme.accent};
        image: url({_picture("tick", theme)});
    }}
    QCheckBox::indicator:focus, QRadioButton::indicator:unchecked:focus {{
        border: 2px solid {theme.accent}; width: 12px; height: 12px;
    }}
    QRadioButton::indicator:unchecked:focus {{ border-radius: 8px; }}
    QRadioButton::indicator:checked:focus {{ border-color: {theme.text}; }}
    QCheckBox::indicator:checked:focus {{ border-color: {theme.text}; }}
    QSplitter::handle {{ background: {theme.ground}; }}
    QHeaderView::section {{
        background: {theme.surface}; color: {theme.muted}; border: none;
        border-bottom: 1px solid {theme.line}; padding: 6px 8px;
    }}
    QWidget#qt_calendar_navigationbar {{ background: {theme.raised}; }}
    QCalendarWidget QToolButton {{
        border: none; background: transparent; color: {theme.text};
    }}
    QToolButton#qt_calendar_prevmonth {{ qproperty-arrowType: LeftArrow; }}
    QToolButton#qt_calendar_nextmonth {{ qproperty-arrowType: RightArrow; }}
    QCalendarWidget QTableView::item {{ padding: 0; }}
    QScrollArea {{ border: none; background: transparent; }}
    QScrollArea#query {{ border: 1px solid transparent; border-radius: 6px; }}
    QScrollArea#query:focus {{ border-color: {theme.accent}; }}
    QWidget#page {{ background: transparent; }}
    QProgressBar {{
        border: 1px solid {theme.line}; border-radius: 4px; background: {theme.ground};
        max-height: 6px;
    }}
    QProgressBar::chunk {{ background: {theme.accent}; border-radius: 3px; }}
    QLabel#bubble {{
        color: {theme.text}; background: {theme.surface}; border: 1px solid {theme.warning};
        border-radius: 4px; padding: 5px 8px;
    }}
    QToolTip {{
        color: {theme.text}; background: {theme.surface}; border: 1px solid {theme.line};
        padding: 4px;
    }}
    """
