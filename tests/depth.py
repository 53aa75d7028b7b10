"""How many inputs a law is tried on: quick for every run, deep for the sweeps behind ``--deep``."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

QUICK = 50
DEEP = 100 * QUICK

_common = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def load(deep: bool) -> None:
    """Set how deep laws look that are defined from now on; the quick ones try the same each time."""
    settings.register_profile("quick", _common, max_examples=QUICK, derandomize=True)
    settings.register_profile("deep", _common, max_examples=DEEP)
    settings.load_profile("deep" if deep else "quick")


def share(part: float, most: int = DEEP) -> settings:
    """For laws whose inputs take long: this part of the inputs of other laws, at most so many."""
    return settings(max_examples=min(most, max(1, round(part * settings().max_examples))))
