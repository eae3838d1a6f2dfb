"""Links of an answer: nothing is opened before a person has seen where it leads."""

import re

from PySide6.QtCore import QCoreApplication, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QMessageBox, QWidget

from desktop.chat.rendering.markdown import is_safe

BREAKABLE = 48
"""Characters of an address after which it may be broken."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("links", text)


def ask_to_open(parent: QWidget | None, url: str) -> QMessageBox | None:
    """Ask whether to open an address of the web or of mail, and open it if a person agrees.

    Host and address are shown in their ASCII form: letters of another alphabet that look like
    those of a known host show as ``xn--…``.

    :return: the open question, or None if the address is none that may be opened
    """
    address = QUrl(url, QUrl.ParsingMode.StrictMode)
    ascii_form = address.toString(QUrl.ComponentFormattingOption.FullyEncoded)
    if not address.isValid() or not is_safe(ascii_form):
        return None
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setWindowTitle(_tr("Open a link"))
    box.setTextFormat(Qt.TextFormat.PlainText)
    host = address.host(QUrl.ComponentFormattingOption.FullyEncoded)
    is_mail = address.scheme() == "mailto"
    question = _tr("Write a mail?") if is_mail else _tr("Open a page of %1?").replace("%1", host)
    box.setText(question)
    told = _tr("The link comes from a model, which may be wrong about where it leads:")
    box.setInformativeText(f"{told}\n\n{_breakable(ascii_form)}")
    opening = box.addButton(_tr("Open"), QMessageBox.ButtonRole.AcceptRole)
    copying = box.addButton(_tr("Copy the address"), QMessageBox.ButtonRole.ActionRole)
    cancelling = box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(cancelling)
    opening.clicked.connect(lambda: QDesktopServices.openUrl(address))
    copying.clicked.connect(lambda: QGuiApplication.clipboard().setText(ascii_form))
    box.open()
    return box


def _breakable(address: str) -> str:
    """Let a long address be broken where no space is."""
    return re.sub(f"(.{{{BREAKABLE}}})", "\\1\N{ZERO WIDTH SPACE}", address)
