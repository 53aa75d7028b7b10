"""The entry point for Hypothesis: ``st.from_type(tannaka.Group)`` works once Hypothesis is imported.

Hypothesis runs :func:`register` when it is imported, in every project of the environment. So
nothing of tannaka is imported then: the modules that define types are waited for, and their types
are registered when they arrive. What draws values is imported when something is drawn.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

AWAITED = {
    "tannaka.diagrams": "diagrams",
    "tannaka.category": "groups",
    "tannaka.codegen.modules.linear": "layers",
}
"""Which types are known once a module is there: those of a function of ``of_types``."""
TYPES = {
    "tannaka.diagrams": (
        *("bilabelled.BilabelledGraph", "brauer.Brauer", "diagram.Diagram", "grood.Grood"),
        *("jellyfish.Jellyfish", "morphism.Morphism", "partition.SetPartition", "typed.Typed"),
        "walled.WalledBrauer",
    ),
    "tannaka.category": (
        *("automorphisms.Aut", "groups.Group", "groups.MatrixGroup", "hom.Hom"),
        *("permutations.PermutationGroup", "product.Product"),
    ),
    "tannaka.codegen.modules.linear": ("EquivariantLinear",),
}
"""The types that each module brings, by where they are in it; groups with a name besides."""


class Arrivals(MetaPathFinder):
    """Finds nothing itself: has modules that others find tell when they have run."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the other finders find; None for a module that nobody waits for."""
        if name not in AWAITED:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((one for one in found if one is not None), None)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            run = loader.exec_module

            def run_and_tell(module: ModuleType) -> None:
                # The loader is as it was before anybody can look at it.
                del loader.exec_module
                run(module)
                arrived(name)

            loader.exec_module = run_and_tell
        return spec


def register() -> None:
    """Register the types of modules that are there, and wait for the others."""
    for name in AWAITED:
        if name in sys.modules:
            arrived(name)
    if not any(isinstance(finder, Arrivals) for finder in sys.meta_path):
        sys.meta_path.insert(0, Arrivals())


def arrived(name: str) -> None:
    """Register the types of a module that is there."""
    from hypothesis import strategies as st

    kinds = []
    for place in TYPES[name]:
        *inside, attribute = place.split(".")
        kinds.append(getattr(sys.modules.get(".".join([name, *inside])), attribute, None))
    if name == "tannaka.category":
        kinds += sys.modules["tannaka.category.groups"].GROUPS.values()
    for kind in kinds:
        # A module that is being imported right now has not all of them; it arrives again.
        if isinstance(kind, type):
            st.register_type_strategy(kind, _drawing(AWAITED[name]))


def _drawing(family: str) -> Any:
    def draw(kind: type) -> Any:
        from tannaka.testing import of_types

        return getattr(of_types, family)()[kind]()

    return draw
