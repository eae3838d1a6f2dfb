"""What every benchmark is run with."""

import pytest


@pytest.fixture(autouse=True)
def _own_settings(own_settings: None) -> None:
    """Draw windows as they are for whoever starts them first."""
