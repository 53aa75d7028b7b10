"""Whole networks as one file of code, from their descriptions."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tannaka.codegen.backends import ALONE
from tannaka.codegen.description import Gate, Linear, Model, model, read_description
from tannaka.codegen.files import write_whole
from tannaka.codegen.generate import DType, GeneratedCode, check_free, generate
from tannaka.codegen.listing import listing_formats
from tannaka.codegen.lowering.choose import AnyPlan
from tannaka.codegen.standalone import TARGETS, Target
from tannaka.codegen.standalone.axes import Axes
from tannaka.codegen.standalone.joined import join
from tannaka.codegen.standalone.network_module import NetworkText
from tannaka.diagrams.errors import BackendError, DescriptionError
from tannaka.diagrams.pictures.bundle import mimebundle

TORCH_FILES = tuple(name for name in ALONE if TARGETS.get(name, Target()).framework == "torch")
"""The backends that write files for PyTorch."""


@dataclass(frozen=True)
class GeneratedNetwork:
    """The source text of a network, made by :func:`generate_network`."""

    name: str
    """The name of the ``torch.nn.Module`` class of the whole."""
    source: str
    plans: tuple[AnyPlan, ...]
    """The plans of the linear layers."""
    backend: str

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
        """Write the file, whole or not at all, and return its path."""
        return write_whole(path, self.source, overwrite=overwrite)

    def load(self) -> Any:
        """Run the source and return the class; needs torch."""
        return GeneratedCode(self.name, self.source, self.plans[0], self.backend).load()

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        lines = self.source.count("\n")
        words = f"{self.name}, {lines:,} lines, for {self.backend}"
        return mimebundle(listing_formats(self.source, words, self.__repr__), include, exclude)

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        lines = self.source.count("\n")
        return f"<GeneratedNetwork {self.name}: {lines} lines; .source, .save(path), .load()>"


def generate_network(
    description: Model | Mapping[str, Any] | str | os.PathLike[str],
    *,
    backend: str = "auto",
    dtype: DType | None = None,
) -> GeneratedNetwork:
    """Write a network as one file, which needs only torch, and what its backend needs.

    ``description`` is a mapping, or the path of a TOML, JSON or YAML file that holds one: the group,
    what comes in, and a list of linear layers with activations, norm activations and gates between
    them. The file has a class for each linear layer, as :func:`generate` writes it, and one for the
    network, whose ``linear1``, ``linear2``, ... these are, those of gates too. Run as a script it checks
    each layer against its dense reference, that the network commutes with a random group element, and
    that it does not see padding.

    Raises DescriptionError for what is no description, or one of a network that does not commute or
    whose sizes its input does not say, BackendError for a backend of another library than PyTorch
    and for layers that cannot be written, OSError where a file cannot be read.

    >>> generate_network({
    ...     "name": "Counts", "group": "S()", "input": {"order": 2, "channels": 1},
    ...     "layers": [{"linear": {"order": 1, "channels": 8}}, {"activation": "relu"},
    ...                {"linear": {"order": 0, "channels": 1}}],
    ... }).name
    'Counts'
    >>> str(generate_network({
    ...     "name": "Vectors", "group": "O(3)", "input": {"order": 1, "channels": 4},
    ...     "layers": [{"linear": {"order": 1, "channels": 8}}, {"norm_activation": "sigmoid"},
    ...                {"linear": {"order": 1, "channels": 1}}],
    ... })).splitlines()[5]
    '    times sigmoid of the length'
    """
    if isinstance(description, Model):
        described = description
    else:
        mapping = isinstance(description, Mapping)
        described = model(description if mapping else read_description(description))  # type: ignore[arg-type]
    if backend not in ("auto", *TORCH_FILES):
        raise BackendError(
            f"networks are written for PyTorch, by {', '.join(('auto', *TORCH_FILES))}, not {backend!r}"
        )
    codes = []
    for number, linear in enumerate(described.linears, start=1):
        codes.append(
            generate(
                described.group,
                linear.k,
                linear.l,
                linear.in_channels,
                linear.out_channels,
                backend=backend,
                bias=linear.bias,
                reduce=linear.reduce,
                dtype=dtype,
                name=f"{described.name}Linear{number}",
            )
        )
    axes = [Axes(code.plan) for code in codes]
    gated = [isinstance(s, Gate) for s in described.steps if isinstance(s, Linear | Gate)]
    for number, (one, gate) in enumerate(zip(axes, gated, strict=True), start=1):
        if not one.plan.basis and gate:
            raise DescriptionError(
                f"linear layer {number}, of a gate: none but 0 makes scalars of order {one.plan.cod} "
                f"from order {one.plan.dom} and commutes with {described.group}; take norm_activation, "
                "or a gate where the order is another"
            )
        if not one.plan.basis:
            raise DescriptionError(
                f"linear layer {number}: no map from order {one.plan.dom} to {one.plan.cod} but 0 "
                f"commutes with {described.group}; choose another order"
            )
        if missing := [kind for kind in one.open if kind not in one.inputs and kind in one.outputs]:
            raise DescriptionError(
                f"linear layer {number} of {described.group} goes from order {one.plan.dom} to "
                f"{one.plan.cod}: its input does not say what n is (axes of type {missing[0]}); keep "
                "such an axis, or name a group of fixed size"
            )
    text = NetworkText(described, tuple(axes))
    source = join(
        [code.source for code in codes],
        docstring=text.docstring(),
        ending=text.definition,
        imports=text.imports(),
    )
    check_free(described.name, source)
    return GeneratedNetwork(
        described.name, source, tuple(code.plan for code in codes), codes[0].backend
    )
