"""What ``llamawatt models training`` is given."""

from collections.abc import Mapping
from typing import Any

import click

from monitor.carbon.accelerators import Accelerator, UnknownAccelerator, find_accelerator
from monitor.carbon.clouds import PROVIDERS, find_region, near_regions
from monitor.carbon.footprint import J_PER_KWH
from monitor.carbon.intensity import WORLD, UnknownZone, find_zone
from monitor.carbon.training import (
    Place,
    Training,
    TrainingError,
    computed,
    entered,
    region_place,
    zone_place,
)
from monitor.hub.card import read_card
from monitor.hub.catalog import repository_name

OF_COMPUTED = (
    "watts", "count", "hours", "provider", "region", "zone", "intensity", "pue",
)  # fmt: skip
"""Options that mean nothing without ``--hardware``."""


def training_of(given: Mapping[str, Any]) -> Training | None:
    """Return what the options describe, ``None`` if they only ask.

    :param given: the command's options by name
    :raises click.UsageError: with what is wrong with them
    :raises click.ClickException: if the card that is named does not tell it
    :raises HubError: if it cannot be asked for
    """
    grams, source, hardware = given["grams"], given["source"], given["hardware"]
    if (grams is None) != (not source):
        raise click.UsageError("Give --grams with --source: a figure says where it is from.")
    if given["kwh"] is not None and grams is None:
        raise click.UsageError("Give --grams and --source with --kwh.")
    ways = (grams is not None, given["card"] is not None, hardware is not None, given["forget"])
    if sum(ways) > 1:
        raise click.UsageError("Give one of --grams, --card, --hardware and --forget.")
    stray = [name for name in OF_COMPUTED if given[name] is not None]
    if hardware is None and stray:
        raise click.UsageError(f"--{stray[0]} needs --hardware, such as --hardware H100.")
    try:
        if grams is not None:
            kwh = given["kwh"]
            return entered(grams, source, None if kwh is None else kwh * J_PER_KWH)
        if given["card"] is not None:
            return _of_card(given["card"])
        return _computed(given) if hardware is not None else None
    except (TrainingError, UnknownAccelerator, UnknownZone) as problem:
        raise click.UsageError(str(problem)) from problem


def _of_card(repository: str) -> Training:
    card = read_card(repository_name(repository))
    if card is None:
        raise click.ClickException(
            f"{repository} has no card, or gives it only to whom it knows: HF_TOKEN may help."
        )
    if card.training is None:
        made_of = " or ".join(card.base_models)
        hint = f" That of {made_of}, which it is made from, may." if made_of else ""
        raise click.ClickException(
            f"The card of {repository} does not say what its training emitted.{hint}"
        )
    return card.training


def _computed(given: Mapping[str, Any]) -> Training:
    if given["hours"] is None:
        raise click.UsageError("Give --hours: how long the hardware ran.")
    if given["zone"] and given["intensity"] is not None:
        raise click.UsageError("Give --zone or --intensity, not both.")
    if given["watts"] is None:
        hardware = find_accelerator(given["hardware"])
    else:
        hardware = Accelerator(given["hardware"], "", given["watts"], "as entered")
    count = 1 if given["count"] is None else given["count"]
    pue = 1.0 if given["pue"] is None else given["pue"]
    return computed(hardware, count, given["hours"], _place(given), pue)


def _place(given: Mapping[str, Any]) -> Place:
    """Return where it was trained: the figure is the person's, the zone's, or the region's."""
    provider, region = (" ".join((given[name] or "").split()) for name in ("provider", "region"))
    if region and not provider:
        raise click.UsageError("--region is a provider's: give --provider as well, such as aws.")
    if given["intensity"] is not None:
        return Place("own figure", given["intensity"], provider=provider, region=region)
    if provider and not given["zone"]:
        return _region(provider, region)
    return zone_place(find_zone(given["zone"] or WORLD), provider, region)


def _region(provider: str, region: str) -> Place:
    if not region and provider.casefold() in PROVIDERS:
        raise click.UsageError(
            f"Where {provider} trained it is not said: give --region, or --zone or --intensity."
        )
    if found := find_region(provider, region):
        return region_place(found)
    near = ", ".join(near_regions(provider, region))
    hint = f" Near it: {near}." if near else ""
    raise click.UsageError(
        f"There is no figure for {' '.join(filter(None, (provider, region)))} in the list; it has "
        f"regions of {', '.join(PROVIDERS)}.{hint} Give --zone or --intensity beside it: the "
        "provider is kept with that figure."
    )
