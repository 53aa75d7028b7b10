"""Who listens to checks of equivariance, and how deep they look: what a test runner sets around tests."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Watch:
    """What a test runner asks of the checks that run inside a test.

    ``least`` is how many group elements each check takes at least; ``heard`` is called with the
    report of each check, passed or not, before it raises.
    """

    least: int
    heard: Callable[[Any], None]


WATCH: ContextVar[Watch | None] = ContextVar("tannaka_watch", default=None)
"""None outside of a test runner that watches."""
