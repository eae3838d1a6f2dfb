"""A suite's report as rich text: shown on the page and printed to PDF."""

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QCoreApplication

from desktop.theme.bill import full_time, kind_words, status_words
from desktop.theme.palette import Theme
from monitor.bench.sentences import idle_line, provenance, total_line, verdicts
from monitor.bench.summary import SuiteResult
from monitor.bench.tables import ENERGY_HEADER, energy_cells, tables
from monitor.store.records import Status

WORDS = ("model", "part", "subject", "rule")
"""Heads of the columns of words; the others are of figures."""


def translate(text: str) -> str:
    """Return a text in the window's language."""
    return QCoreApplication.translate("Report", text)


def report_html(result: SuiteResult, theme: Theme) -> str:
    """Return a suite's report; every text that comes from files and models is escaped."""
    suite = result.suite
    parts = [f"<h2>{escape(suite.title)}</h2>"]
    state = "" if suite.status is Status.DONE else f" · {status_words(suite.status)}"
    parts.append(_muted(f"{full_time(suite.started_at)}{state}", theme))
    parts.append(f"<p>{escape(total_line(result))}</p>")
    if suite.error:
        parts.append(f'<p style="color:{theme.warning}">{escape(suite.error)}</p>')
    for header, rows in tables(result):
        parts.append(_table(header, rows, theme))
    parts += [f"<p>{escape(sentence)}</p>" for sentence in verdicts(result)]
    parts.append(f"<h4>{escape(translate('Energy of each run'))}</h4>")
    rows = [energy_cells(run) for run in result.runs]
    parts.append(_table(ENERGY_HEADER, rows, theme))
    kinds = {run.record.bill.total().kind for run in result.runs}
    legend = " · ".join(dict.fromkeys(kind_words(kind) for kind in kinds))
    notes = [
        legend,
        translate("Scores: ± standard error, then Wilson's 95 % interval."),
        translate("Points/Wh: percentage points above chance per watt-hour of a thousand items."),
        idle_line(result),
    ]
    parts += [_muted(note, theme) for note in notes if note]
    parts += [_muted(line.removeprefix("- ").replace("`", ""), theme, small=True)
              for line in provenance(result)]  # fmt: skip
    return "\n".join(parts)


def _muted(text: str, theme: Theme, small: bool = False) -> str:
    size = "font-size:small;" if small else ""
    return f'<p style="color:{theme.muted};{size}">{escape(text)}</p>'


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], theme: Theme) -> str:
    """Draw a table; a model that is the same in all rows is named once, above it."""
    models = {row[0] for row in rows}
    is_single = len(models) == 1
    first = 1 if is_single else 0
    above = f"<p><b>{escape(rows[0][0])}</b></p>" if is_single else ""
    are_words = [name in WORDS for name in header[first:]]

    def line(tag: str, cells: Sequence[str]) -> str:
        drawn = (_cell(tag, *cell, theme) for cell in zip(cells, are_words, strict=True))
        return f"<tr>{''.join(drawn)}</tr>"

    body = "".join(line("td", row[first:]) for row in rows)
    table = '<table cellspacing="0" cellpadding="5" width="98%" style="margin-bottom:14px">'
    return f"{above}{table}{line('th', header[first:])}{body}</table>"


def _cell(tag: str, text: str, is_words: bool, theme: Theme) -> str:
    side = "left" if is_words else "right"
    color = f"color:{theme.muted};font-weight:normal;" if tag == "th" else ""
    style = f"{color}border-bottom:1px solid {theme.line};"
    return f'<{tag} align="{side}" style="{style}">{escape(text)}</{tag}>'
