"""The colours of both themes and what is drawn with them.

Series colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/), told apart by people with
any common colour blindness, a little darker on light ground where contrast asks for it. Kinds
are told by line style and mark as well, never by colour alone.
"""

from dataclasses import dataclass

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
