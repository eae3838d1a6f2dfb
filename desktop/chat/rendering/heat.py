"""The ramp of the heat view: from the ground to warm, in steps that look alike.

Colours lie on a line in Oklab, where equal distances look equal (Björn Ottosson, "A perceptual
color space for image processing", 2020, https://bottosson.github.io/posts/oklab/). Lightness
changes along with the hue, so that it is read with any colour vision, and text stays legible on
all of it.
"""

from functools import cache

from desktop.theme.palette import Theme

STEPS = 32
"""Tints told apart."""

_ENDS = {
    "light": ((0.985, 0.002, 0.022), (0.760, 0.085, 0.115)),
    "dark": ((0.270, 0.004, 0.010), (0.500, 0.105, 0.085)),
}
"""The ends of the ramp in Oklab, by theme."""


@cache
def _ramp(theme_name: str) -> tuple[str, ...]:
    cold, warm = _ENDS[theme_name]
    return tuple(
        _srgb(*(a + (b - a) * step / (STEPS - 1) for a, b in zip(cold, warm, strict=True)))
        for step in range(STEPS)
    )


def tint(warmth: float, theme: Theme) -> str:
    """Return the ground of a token as ``#rrggbb``.

    :param warmth: 0 to 1; what lies outside is taken for the nearer end
    """
    return _ramp(theme.name)[round(min(max(warmth, 0.0), 1.0) * (STEPS - 1))]


def _srgb(lightness: float, a: float, b: float) -> str:
    """Return a colour of Oklab as ``#rrggbb``; the matrices are those of its author."""
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _companded(part)):02x}" for part in linear)


def _companded(linear: float) -> float:
    """Return a channel as sRGB stores it (IEC 61966-2-1)."""
    linear = min(max(linear, 0.0), 1.0)
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
