"""Showing a number that is known better than a field's own decimals tell."""

from decimal import Decimal

from desktop.theme.numbers import DecimalField


def show_every_digit(field: DecimalField, number: float) -> None:
    """Show a number with all of its digits, so that the field's value is that very number."""
    exponent = int(Decimal(repr(number)).normalize().as_tuple().exponent)
    field.setDecimals(max(field.decimals(), -exponent))
    field.setValue(number)
