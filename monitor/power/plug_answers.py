"""What wall plugs answer, and how they are told apart.

* Shelly, second generation and later: ``/rpc/Switch.GetStatus?id=0`` with ``apower`` in watts and
  ``aenergy.total`` in watt-hours (shelly-api-docs.shelly.cloud, gen2, Switch).
* Shelly that measures and does not switch: the same of ``/rpc/PM1.GetStatus?id=0`` (gen2, PM1).
* Shelly, first generation: ``/meter/0``, or the same inside ``/status``, with ``power`` in watts,
  ``is_valid``, and ``total`` in watt-minutes (shelly-api-docs.shelly.cloud, gen1, Shelly Plug).
* Tasmota: ``/cm?cmnd=Status%2010`` with ``StatusSNS.ENERGY.Power`` in watts and ``.Total`` in
  kilowatt-hours (tasmota.github.io/docs, Commands and JSON Status Responses).

Every Shelly tells its generation at ``/shelly``, without a password; the first does not name it,
but how many meters it has. A later one lists its components at ``/rpc/Shelly.GetStatus``. One with
several sockets is refused: which of them feeds this machine cannot be told.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from monitor.power.channel import Domain
from monitor.power.local_http import DeviceError
from monitor.power.ring import PLAUSIBLE_W

MOST_W = PLAUSIBLE_W[Domain.SYSTEM]

MOST_WH = MOST_W * 24 * 366 * 100
"""No plug has counted for a century."""

Ask = Callable[[str], Any]
"""Asks a device for a path; see :func:`monitor.power.local_http.ask`."""


class PlugKind(StrEnum):
    """Which language a plug speaks."""

    SHELLY = "shelly"
    SHELLY_PM1 = "shelly-pm1"
    SHELLY_GEN1 = "shelly-gen1"
    TASMOTA = "tasmota"

    @property
    def label(self) -> str:
        """Its name for a person."""
        return {
            PlugKind.SHELLY: "Shelly",
            PlugKind.SHELLY_PM1: "Shelly (meter)",
            PlugKind.SHELLY_GEN1: "Shelly (first generation)",
            PlugKind.TASMOTA: "Tasmota",
        }[self]


@dataclass(frozen=True, slots=True)
class PlugAnswer:
    """What a plug said at one moment.

    :param power_w: watts now; ``None`` if it gave none, or an impossible figure
    :param energy_wh: its own counter, in watt-hours since it was reset
    """

    power_w: float | None
    energy_wh: float | None


def recognise(ask: Ask) -> tuple[PlugKind, PlugAnswer]:
    """Find out what a device is, and what it says now.

    :raises DeviceError: if it cannot be asked, or is no plug that measures
    """
    kind = _kind_of(ask("/shelly"), ask)
    return kind, question(kind, ask)


def _kind_of(shelly: Any, ask: Ask) -> PlugKind:
    """Tell a device by what ``/shelly`` answers.

    :raises DeviceError: if it has several sockets
    """
    if isinstance(shelly, dict):
        generation = shelly.get("gen")
        if isinstance(generation, int) and generation >= 2:
            return _component_of(ask("/rpc/Shelly.GetStatus"))
        if isinstance(shelly.get("type"), str) and "mac" in shelly:
            meters = shelly.get("num_meters")
            _refuse_several("Shelly", meters if isinstance(meters, int) else 0)
            return PlugKind.SHELLY_GEN1
    return PlugKind.TASMOTA


def _component_of(status: Any) -> PlugKind:
    """Tell whether a Shelly measures with its switch or by a meter alone."""
    found = status if isinstance(status, dict) else {}
    measuring = [
        name.partition(":")[0]
        for name, told in found.items()
        if name.startswith(("switch:", "pm1:")) and isinstance(told, dict) and "apower" in told
    ]
    _refuse_several("Shelly", len(measuring))
    return PlugKind.SHELLY_PM1 if measuring == ["pm1"] else PlugKind.SHELLY


def _refuse_several(maker: str, sockets: int) -> None:
    if sockets > 1:
        raise DeviceError(
            f"This {maker} device measures {sockets} sockets, and which one feeds this machine "
            "cannot be told. Use a plug with one socket."
        )


def question(kind: PlugKind, ask: Ask) -> PlugAnswer:
    """Ask a plug of a known kind for its watts.

    :raises DeviceError: if it cannot be asked, or answers as no plug of this kind does
    """
    match kind:
        case PlugKind.SHELLY:
            return _shelly(kind, ask("/rpc/Switch.GetStatus?id=0"))
        case PlugKind.SHELLY_PM1:
            return _shelly(kind, ask("/rpc/PM1.GetStatus?id=0"))
        case PlugKind.SHELLY_GEN1:
            meter = ask("/meter/0")
            return _shelly_gen1(meter if meter is not None else _first_meter(ask("/status")))
        case PlugKind.TASMOTA:
            return _tasmota(ask("/cm?cmnd=Status%2010"))


def _shelly(kind: PlugKind, status: Any) -> PlugAnswer:
    if not isinstance(status, dict) or not {"id", "output"} & status.keys():
        raise _stranger(kind)
    if "apower" not in status:
        raise DeviceError("This Shelly switches, but does not measure. Another model is needed.")
    energy = status.get("aenergy")
    total_wh = energy.get("total") if isinstance(energy, dict) else None
    return PlugAnswer(_figure(status["apower"], MOST_W), _figure(total_wh, MOST_WH))


def _first_meter(status: Any) -> Any:
    meters = status.get("meters") if isinstance(status, dict) else None
    return meters[0] if isinstance(meters, list) and meters else None


def _shelly_gen1(meter: Any) -> PlugAnswer:
    if not isinstance(meter, dict) or "power" not in meter:
        raise _stranger(PlugKind.SHELLY_GEN1)
    if meter.get("is_valid") is False:
        return PlugAnswer(None, None)
    total_wmin = _figure(meter.get("total"), MOST_WH * 60)
    energy_wh = None if total_wmin is None else total_wmin / 60
    return PlugAnswer(_figure(meter["power"], MOST_W), energy_wh)


def _tasmota(status: Any) -> PlugAnswer:
    if isinstance(status, dict) and "WARNING" in status:
        # It answers so, with status 200, where a web password is set.
        raise DeviceError(
            "This Tasmota device wants a password, and none is kept here. Let it be read without "
            "one: its command is WebPassword 0"
        )
    sensors = status.get("StatusSNS") if isinstance(status, dict) else None
    if not isinstance(sensors, dict):
        raise _stranger(None)
    energy = sensors.get("ENERGY")
    if not isinstance(energy, dict):
        raise DeviceError(
            "This Tasmota device switches, but does not measure. Another model is needed."
        )
    power = energy.get("Power")
    if isinstance(power, list):
        _refuse_several("Tasmota", len(power))
        power = power[0] if power else None
    total_kwh = _figure(energy.get("Total"), MOST_WH / 1e3)
    return PlugAnswer(_figure(power, MOST_W), None if total_kwh is None else total_kwh * 1e3)


def _stranger(expected: PlugKind | None) -> DeviceError:
    if expected is None:
        return DeviceError(
            "What answers there is no Shelly and no Tasmota plug. Check the address: the plug's "
            "own app or the router shows it."
        )
    return DeviceError(
        f"What answers there is not the {expected.label} plug that is expected. Check the address: "
        "another device may have it now."
    )


def _figure(value: Any, most: float) -> float | None:
    """Return what can be a figure: a number, not negative, and not above the greatest."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= most else None
