"""The colours of both themes and what is drawn with them.

Series colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/), told apart by people with
any common colour blindness, a little darker on light ground where contrast asks for it. Kinds
are told by line style and mark as well, never by colour alone.
"""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from monitor.power.channel import Channel, Domain


@dataclass(frozen=True, slots=True)
class Theme:
    """One theme's colours, as ``#rrggbb``.

    :param ground: behind everything
    :param surface: cards, fields and the plot
    :param raised: hovered and chosen rows
    :param line: borders
    :param text: text; contrast with ground above 12:1
    :param muted: lesser text; contrast with ground above 4.5:1
    :param accent: what can be pressed, and what is chosen
    :param on_accent: text on the accent
    :param warning: text of what went wrong
    :param prefill: ground of the plot while the prompt is processed
    :param decode: ground of the plot while the answer is written
    :param series: colours of the domains' curves
    :param code: colours of what code is made of; contrast with the surface above 4.5:1
    """

    name: str
    ground: str
    surface: str
    raised: str
    line: str
    text: str
    muted: str
    accent: str
    on_accent: str
    warning: str
    load: str
    prefill: str
    decode: str
    series: dict[Domain, tuple[str, ...]]
    code: dict[str, str]

    @property
    def sequence(self) -> tuple[str, ...]:
        """Seven colours for what belongs to no domain, each unlike the one before."""
        cpu, dram, gpu = (self.series[d] for d in (Domain.CPU, Domain.DRAM, Domain.GPU))
        return (cpu[0], gpu[0], dram[0], gpu[1], cpu[1], gpu[2], self.series[Domain.SOC][0])

    def color_of(self, channel: Channel, index: int) -> str:
        """Return the colour of a channel; ``index`` tells several of a domain apart."""
        colors = self.series[channel.domain]
        return colors[index % len(colors)]


LIGHT = Theme(
    name="light",
    ground="#f5f6f7",
    surface="#ffffff",
    raised="#e9eef3",
    line="#d5dade",
    text="#1b1f24",
    muted="#59626d",
    accent="#0067a3",
    on_accent="#ffffff",
    warning="#a33f00",
    load="#f0f1f2",
    prefill="#fdf0d5",
    decode="#e3f1ea",
    series={
        Domain.CPU: ("#0072b2", "#4a9fd1"),
        Domain.DRAM: ("#008f68", "#4fbf9f"),
        Domain.GPU: ("#d55e00", "#cc79a7", "#b8860b", "#8a4fbf"),
        Domain.SOC: ("#a8487f",),
        Domain.SYSTEM: ("#6b737d",),
    },
    code={
        "comment": "#5f6b76",
        "keyword": "#8a3ffc",
        "string": "#1a7040",
        "number": "#a33f00",
        "function": "#0062a3",
        "type": "#8a5a00",
        "deleted": "#b3261e",
        "inserted": "#1a7040",
    },
)
DARK = Theme(
    name="dark",
    ground="#16191d",
    surface="#1e2227",
    raised="#2a3038",
    line="#363d46",
    text="#e7eaee",
    muted="#9fa8b3",
    accent="#56b4e9",
    on_accent="#0d1722",
    warning="#f0a35e",
    load="#24282d",
    prefill="#3a3122",
    decode="#1f342b",
    series={
        Domain.CPU: ("#56b4e9", "#9ad1f2"),
        Domain.DRAM: ("#2fc79b", "#83dfc3"),
        Domain.GPU: ("#e69f00", "#f28c55", "#e5a3c8", "#f0e442"),
        Domain.SOC: ("#e5a3c8",),
        Domain.SYSTEM: ("#9fa8b3",),
    },
    code={
        "comment": "#8f9aa6",
        "keyword": "#c4a4ff",
        "string": "#8fd6a5",
        "number": "#f0a35e",
        "function": "#6fc0f0",
        "type": "#e5c76b",
        "deleted": "#ff9d96",
        "inserted": "#8fd6a5",
    },
)


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
    app.setStyle("Fusion")
    app.setPalette(_palette(theme))
    app.setStyleSheet(_style_sheet(theme))


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


def _tick(theme: Theme) -> str:
    """The file of a ticked box's mark: style sheets take pictures from files only."""
    return Path(str(files("resources") / "icons" / f"tick-{theme.name}.svg")).as_posix()


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
    QComboBox, QSpinBox, QDoubleSpinBox, QDateEdit {{ min-height: 24px; }}
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
    QListView::item {{ padding: 6px 8px; border-radius: 4px; }}
    QTableView::item {{ padding: 0 6px; border: none; }}
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
    QTabWidget::pane {{ border: 1px solid {theme.line}; border-radius: 6px; }}
    QTabBar::tab {{
        background: transparent; color: {theme.muted}; border: none; padding: 6px 14px;
        border-bottom: 2px solid transparent;
    }}
    QTabBar::tab:selected {{ color: {theme.text}; border-bottom-color: {theme.accent}; }}
    QTabBar::tab:hover {{ color: {theme.text}; }}
    QTabBar {{ qproperty-drawBase: 0; }}
    QListWidget {{ padding: 2px; }}
    QCheckBox::indicator, QListWidget::indicator {{
        width: 14px; height: 14px; border: 1px solid {theme.muted}; border-radius: 3px;
        background: {theme.surface};
    }}
    QCheckBox::indicator:checked, QListWidget::indicator:checked {{
        background: {theme.accent}; border-color: {theme.accent};
        image: url({_tick(theme)});
    }}
    QSplitter::handle {{ background: {theme.ground}; }}
    QHeaderView::section {{
        background: {theme.surface}; color: {theme.muted}; border: none;
        border-bottom: 1px solid {theme.line}; padding: 6px 8px;
    }}
    QScrollArea {{ border: none; background: transparent; }}
    QWidget#page {{ background: transparent; }}
    QProgressBar {{
        border: 1px solid {theme.line}; border-radius: 4px; background: {theme.ground};
        max-height: 6px;
    }}
    QProgressBar::chunk {{ background: {theme.accent}; border-radius: 3px; }}
    QToolTip {{
        color: {theme.text}; background: {theme.surface}; border: 1px solid {theme.line};
        padding: 4px;
    }}
    """
