"""tannaka: name a symmetry group, get its equivariant linear maps as diagrams and as fast code.

>>> import tannaka as tn
>>> hom = tn.Hom(tn.S(5), 2, 1)
>>> hom.dimension
5
>>> print(hom.basis()[0])
0 1 2
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tannaka import errors as errors
    from tannaka import jupyter as jupyter
    from tannaka import nn as nn
    from tannaka import testing as testing
    from tannaka.category.alternating import A as A
    from tannaka.category.automorphisms import Aut as Aut
    from tannaka.category.groups import Group as Group
    from tannaka.category.groups import group as group
    from tannaka.category.hom import Hom as Hom
    from tannaka.category.hyperoctahedral import H as H
    from tannaka.category.orbitals import Orbit as Orbit
    from tannaka.category.orthogonal import SO as SO
    from tannaka.category.orthogonal import O as O
    from tannaka.category.permutations import PermutationGroup as PermutationGroup
    from tannaka.category.product import Product as Product
    from tannaka.category.symmetric import S as S
    from tannaka.category.symplectic import Sp as Sp
    from tannaka.codegen.generate import GeneratedCode as GeneratedCode
    from tannaka.codegen.generate import generate as generate
    from tannaka.codegen.models import GeneratedNetwork as GeneratedNetwork
    from tannaka.codegen.models import generate_network as generate_network
    from tannaka.diagrams.bilabelled import BilabelledGraph as BilabelledGraph
    from tannaka.diagrams.brauer import Brauer as Brauer
    from tannaka.diagrams.diagram import Diagram as Diagram
    from tannaka.diagrams.grood import Grood as Grood
    from tannaka.diagrams.jellyfish import Jellyfish as Jellyfish
    from tannaka.diagrams.morphism import Morphism as Morphism
    from tannaka.diagrams.partition import SetPartition as SetPartition
    from tannaka.diagrams.pictures.steps import compose_steps as compose_steps
    from tannaka.diagrams.typed import Typed as Typed
    from tannaka.diagrams.walled import WalledBrauer as WalledBrauer
    from tannaka.jupyter.widget import explorer as explorer

    __version__: str

# Where each name lives: it is imported when first asked for, so that ``import tannaka`` and
# ``import tannaka.diagrams`` open at once.
_HOMES = {
    "A": "tannaka.category",
    "Aut": "tannaka.category",
    "Orbit": "tannaka.category",
    "PermutationGroup": "tannaka.category",
    "Product": "tannaka.category",
    "SO": "tannaka.category",
    "Sp": "tannaka.category",
    "BilabelledGraph": "tannaka.diagrams.bilabelled",
    "Brauer": "tannaka.diagrams.brauer",
    "Diagram": "tannaka.diagrams.diagram",
    "GeneratedCode": "tannaka.codegen.generate",
    "GeneratedNetwork": "tannaka.codegen.models",
    "Grood": "tannaka.diagrams.grood",
    "Group": "tannaka.category",
    "H": "tannaka.category",
    "Hom": "tannaka.category",
    "Jellyfish": "tannaka.diagrams.jellyfish",
    "Morphism": "tannaka.diagrams.morphism",
    "O": "tannaka.category",
    "S": "tannaka.category",
    "SetPartition": "tannaka.diagrams.partition",
    "Typed": "tannaka.diagrams.typed",
    "WalledBrauer": "tannaka.diagrams.walled",
    "compose_steps": "tannaka.diagrams.pictures.steps",
    "explorer": "tannaka.jupyter",
    "generate": "tannaka.codegen.generate",
    "generate_network": "tannaka.codegen.models",
    "group": "tannaka.category",
}
_SUBMODULES = ("category", "codegen", "diagrams", "errors", "jupyter", "nn", "testing")

__all__ = [*_HOMES, "errors", "jupyter", "nn", "testing"]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"tannaka.{name}")
    if name == "__version__":
        return import_module("importlib.metadata").version("tannaka")
    if name not in _HOMES:
        raise AttributeError(f"module 'tannaka' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    if _HOMES[name] == "tannaka.category":
        _price_galleries()
    return value


def _price_galleries() -> None:
    """Let galleries say what diagrams cost: categories know no compiler, so it is put there."""
    known = import_module("tannaka.category.gallery").FACTS
    if not known:
        known.append(lambda *given: import_module("tannaka.codegen.facts").facts(*given))


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__", "category", "codegen", "diagrams"])
