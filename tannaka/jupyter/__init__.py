"""The explorer for notebooks: browse a Hom space, glue diagrams, draw them, in Jupyter or marimo.

``explorer`` and ``Explorer`` need anywidget, which ``pip install 'tannaka[jupyter]'`` brings; they are
imported when first asked for. All that they know of mathematics is in ``session.py``, which needs no
widgets: a state, what can be done in it, and what there is to see (``views.py``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tannaka.diagrams.errors import needing

if TYPE_CHECKING:
    from tannaka.jupyter.widget import Explorer as Explorer
    from tannaka.jupyter.widget import explorer as explorer

__all__ = ["Explorer", "explorer"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'tannaka.jupyter' has no attribute {name!r}")
    with needing(f"tannaka.jupyter.{name}"):
        return getattr(import_module("tannaka.jupyter.widget"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
