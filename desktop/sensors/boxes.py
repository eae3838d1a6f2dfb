"""What is added and what is not, drawn as boxes within boxes."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from desktop.sensors.scheme import Part, Scheme, Watts, part_colors
from desktop.sensors.words import domain_name, kind_tip, watts_words
from desktop.theme.devices import short_name
from desktop.theme.flow import FlowLayout
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named
from monitor import figures
from monitor.power.channel import Channel, Domain

BOX_WIDTH, FRAME_PAD = 176, 2

WIDEST_WATTS = "● 888 mW"
"""Room is kept for so much, so that no box moves when its watts do."""

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class Boxes(QFrame):
    """The machine as a box around its parts, and the sum of these below.

    :param scheme: what lies in what
    :param theme: colours
    """

    def __init__(self, scheme: Scheme, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scheme, self._theme = scheme, theme
        self._machines = tuple(each for each in scheme.wholes if each.is_machine)
        self._around = _around(scheme)
        self._watts: dict[str, list[QLabel]] = {}
        self.setObjectName("card")
        self._colors = part_colors(scheme, theme)
        self.setStyleSheet(_style(theme, list(self._colors.values())))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 12, 14, 12)
        layout.setSpacing(10)
        layout.addWidget(self._machine())
        self._sum = label("", "figure", wrap=True)
        layout.addWidget(self._sum)
        rule = self.tr(
            "Only the boxes with a coloured edge are added. What lies inside one is a share of "
            "it, and what lies around one holds it already: to add either would count it twice."
        )
        layout.addWidget(label(rule, "muted", wrap=True))
        self.setAccessibleName(self.tr("What is added to the total"))

    def show_watts(self, watts: Watts) -> None:
        """Write the present watts into the boxes, and their sum."""
        for channel in self._channels():
            text = watts_words(channel, watts.get(channel.key))
            for shown in self._watts.get(channel.key, ()):
                shown.setText(text)
        self._sum.setText(self._sum_words(watts))
        self.setAccessibleDescription(self.in_words(watts))

    def in_words(self, watts: Watts) -> str:
        """Say in sentences what the boxes show."""
        scheme = self._scheme
        sentences = [self._sum_words(watts) + "."]
        for part in scheme.parts:
            if around := self._around.get(part.channel.device):
                sentences.append(
                    self.tr("Around %1, not added: %2.")
                    .replace("%1", part.channel.label)
                    .replace("%2", _list(around, watts))
                )
            if part.inside:
                sentences.append(
                    self.tr("Inside %1, not added again: %2.")
                    .replace("%1", part.channel.label)
                    .replace("%2", _list(part.inside, watts))
                )
        if scheme.spread:
            words = self.tr("Inside the parts, not added again: %1.")
            sentences.append(words.replace("%1", _list(scheme.spread, watts)))
        if self._machines:
            words = self.tr("The whole machine, a cross-check, not added: %1.")
            sentences.append(words.replace("%1", _list(self._machines, watts)))
        sentences += [f"{title}: {why}." for title, why in map(self._missing, scheme.missing)]
        return " ".join(sentences)

    def _channels(self) -> list[Channel]:
        scheme = self._scheme
        parts = [each for part in scheme.parts for each in (part.channel, *part.inside)]
        return [*parts, *scheme.spread, *scheme.wholes]

    def _sum_words(self, watts: Watts) -> str:
        scheme = self._scheme
        if not scheme.parts:
            return self.tr("Nothing is added up: no part of this machine tells its power")
        total = figures.marked(scheme.kind, figures.power(scheme.total_w(watts)))
        sums = scheme.by_domain(watts)
        terms = " + ".join(
            f"{domain_name(each)} {figures.marked(kind, figures.power(power_w))}"
            for each, kind, power_w in sums
        )
        words = self.tr("Total %1 = %2").replace("%1", total).replace("%2", terms)
        unread = [p.channel.label for p in scheme.parts if watts.get(p.channel.key) is None]
        if unread:
            why = self.tr("Not read, so that the total is not known: %1")
            words += ". " + why.replace("%1", ", ".join(unread))
        return words

    def _machine(self) -> QFrame:
        machine = named(QFrame(), "machine")
        column = QVBoxLayout(machine)
        column.setContentsMargins(12, 8, 12, 12)
        column.setSpacing(8)
        column.addWidget(self._whole())
        holder, flow = _flowing()
        for at, part in enumerate(self._scheme.parts):
            flow.addWidget(self._part(part, at))
        if self._scheme.spread:
            flow.addWidget(self._spread())
        for domain in self._scheme.missing:
            flow.addWidget(self._absent(domain))
        column.addWidget(holder)
        return machine

    def _whole(self) -> QWidget:
        if not self._machines:
            words = self.tr(
                "The whole machine is not measured here: a wall plug would be a cross-check"
            )
            return label(words, "muted", wrap=True)
        holder, flow = _flowing()
        flow.addWidget(_beside_frames(self.tr("The whole machine")))
        for channel in self._machines:
            frame = named(QFrame(), "whole")
            inner = QHBoxLayout(frame)
            inner.setContentsMargins(8, FRAME_PAD, 8, FRAME_PAD)
            inner.addWidget(label(channel.label))
            inner.addWidget(self._value(channel))
            flow.addWidget(frame)
        note = self.tr("is meant to hold every part already: a cross-check, not added")
        flow.addWidget(_beside_frames(note))
        return holder

    def _part(self, part: Part, at: int) -> QFrame:
        box, column = _box(f"part{at}")
        column.addLayout(self._line(part.channel, short_name(part.channel), is_part=True))
        if part.inside:
            column.addWidget(self._within(part.inside, short_name(part.channel)))
        around = self._around.get(part.channel.device)
        return self._module(around, box) if around else box

    def _module(self, channels: tuple[Channel, ...], box: QFrame) -> QFrame:
        """Put what holds a part and more around its box."""
        frame = named(QFrame(), "whole")
        column = QVBoxLayout(frame)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(5)
        for channel in channels:
            column.addLayout(self._line(channel, channel.label))
        column.addWidget(box)
        frame.setToolTip(self.tr("Holds what it is drawn around and more; not added"))
        return frame

    def _within(self, channels: tuple[Channel, ...], owner: str) -> QFrame:
        inner = named(QFrame(), "within")
        lines = QVBoxLayout(inner)
        lines.setContentsMargins(6, 3, 6, 3)
        lines.setSpacing(1)
        for channel in channels:
            # "CPU 0 core" within "CPU 0" is "core".
            lines.addLayout(self._line(channel, channel.label.removeprefix(owner).strip()))
        inner.setToolTip(self.tr("Inside %1, not added again").replace("%1", owner))
        return inner

    def _spread(self) -> QFrame:
        box, column = _box("apart")
        column.addWidget(label(self.tr("inside the parts above"), "muted"))
        column.addWidget(self._within(self._scheme.spread, self.tr("the parts")))
        return box

    def _missing(self, domain: Domain) -> tuple[str, str]:
        """What is left out, and why that is no zero."""
        return domain_name(domain), self.tr("not measured here, left out of the total")

    def _absent(self, domain: Domain) -> QFrame:
        box, column = _box("apart")
        title, why = self._missing(domain)
        column.addWidget(label(title, "muted"))
        text = label(why, "muted", wrap=True)
        text.setMaximumWidth(BOX_WIDTH)
        column.addWidget(text)
        column.addStretch(1)
        return box

    def _line(self, channel: Channel, name: str, is_part: bool = False) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(6)
        text = label(name, "" if is_part else "muted")
        if is_part:
            font = text.font()
            font.setWeight(QFont.Weight.DemiBold)
            text.setFont(font)
        text.setToolTip(channel.label)
        row.addWidget(text, 1)
        row.addWidget(self._value(channel, "" if is_part else "muted"))
        return row

    def _value(self, channel: Channel, style: str = "") -> QLabel:
        value = label(figures.UNKNOWN, style)
        value.setAlignment(RIGHT)
        value.setMinimumWidth(value.fontMetrics().horizontalAdvance(WIDEST_WATTS))
        value.setToolTip(kind_tip(channel.kind))
        self._watts.setdefault(channel.key, []).append(value)
        return value


def _around(scheme: Scheme) -> dict[str, tuple[Channel, ...]]:
    """Return what holds one device and what is around it, but not the machine, by the device."""
    found: dict[str, tuple[Channel, ...]] = {}
    for channel in scheme.wholes:
        if not channel.is_machine:
            found[channel.device] = (*found.get(channel.device, ()), channel)
    return found


def _flowing() -> tuple[QWidget, FlowLayout]:
    """A widget whose children stand in lines, and its layout."""
    holder = QWidget()
    flow = FlowLayout(holder, gap=8)
    policy = holder.sizePolicy()
    policy.setHeightForWidth(True)
    holder.setSizePolicy(policy)
    return holder, flow


def _beside_frames(text: str) -> QLabel:
    """A lesser text, as high as what has a frame beside it in its line."""
    made = label(text, "muted")
    made.setContentsMargins(0, FRAME_PAD + 1, 0, FRAME_PAD + 1)
    return made


def _box(name: str) -> tuple[QFrame, QVBoxLayout]:
    box = named(QFrame(), name)
    box.setMinimumWidth(BOX_WIDTH)
    column = QVBoxLayout(box)
    column.setContentsMargins(8, 6, 8, 6)
    column.setSpacing(5)
    return box, column


def _list(channels: tuple[Channel, ...], watts: Watts) -> str:
    return ", ".join(
        f"{channel.label} {watts_words(channel, watts.get(channel.key))}" for channel in channels
    )


def _style(theme: Theme, colors: Sequence[str]) -> str:
    """One style sheet for all boxes: one for each would be read anew for each."""
    parts = "".join(
        f"""
    QFrame#part{at} {{
        border: 1px solid {theme.line}; border-left: 4px solid {color};
        border-top-right-radius: 6px; border-bottom-right-radius: 6px;
        background: {theme.surface};
    }}"""
        for at, color in enumerate(colors)
    )
    return f"""{parts}
    QFrame#machine {{
        border: 1px dashed {theme.muted}; border-radius: 8px; background: {theme.ground};
    }}
    QFrame#whole {{ border: 1px dashed {theme.muted}; border-radius: 6px; }}
    QFrame#within {{ background: {theme.raised}; border-radius: 4px; }}
    QFrame#apart {{ border: 1px dashed {theme.muted}; border-radius: 6px; }}
    """
