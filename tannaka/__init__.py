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
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tannaka import errors as errors
from tannaka.category.group import Group as Group
from tannaka.category.group import group as group
from tannaka.category.hom import Hom as Hom
from tannaka.category.orthogonal import O as O
from tannaka.category.symmetric import S as S
from tannaka.codegen.generate import GeneratedCode as GeneratedCode
from tannaka.codegen.generate import generate as generate
from tannaka.diagrams.brauer import Brauer as Brauer
from tannaka.diagrams.morphism import Morphism as Morphism
from tannaka.diagrams.partition import SetPartition as SetPartition
from tannaka.diagrams.steps import compose_steps as compose_steps

if TYPE_CHECKING:
    from tannaka import nn as nn
    from tannaka import testing as testing

__version__ = version("tannaka")

_LATE = ("nn", "testing")
"""Submodules that need torch: imported when first asked for."""


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return import_module(f"tannaka.{name}")
    raise AttributeError(f"module 'tannaka' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATE])
