"""What plans of layers for permutation groups share: whose layer it is, and its bias."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tannaka.category.hom import Hom
from tannaka.category.orbitals import Orbit
from tannaka.category.permutations import PermutationGroup
from tannaka.codegen.notation import Reduce
from tannaka.diagrams.pictures.bundle import mimebundle


@dataclass(frozen=True)
class HostPlan:
    """How to apply all maps of a Hom space of a permutation group, with a weight for each."""

    hom: Hom
    in_channels: int
    out_channels: int
    reduce: Reduce
    with_bias: bool

    @property
    def dom(self) -> int:
        """The order of the input."""
        order: int = self.hom.k
        return order

    @property
    def cod(self) -> int:
        """The order of the output."""
        order: int = self.hom.l
        return order

    @property
    def _group(self) -> PermutationGroup:
        group = self.hom.group
        assert isinstance(group, PermutationGroup)
        return group

    @cached_property
    def bias_basis(self) -> tuple[Orbit, ...] | None:
        """The orbits of output indices, row i of the bias for the i-th."""
        return tuple(self._group.orbit_space(0, self.cod)) if self.with_bias else None

    @cached_property
    def outputs(self) -> NDArray[np.int32]:
        """The orbit of each output index, of shape (n**l,)."""
        return self._group.labels(self.cod).reshape(-1)

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        # The pictures know all kinds of plans.
        from tannaka.codegen.plan_picture import plan_formats

        return mimebundle(plan_formats(self), include, exclude)
