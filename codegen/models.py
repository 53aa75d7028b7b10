"""Whole networks from a description: linear layers with activations between them, as one file.

A description is a small mapping, read from TOML, JSON or YAML:

.. code-block:: toml

    name = "Triangles"
    group = "S()"
    input = {order = 2, channels = 1}
    layers = [
      {linear = {order = 2, channels = 16}},
      {activation = "relu"},
      {linear = {order = 0, channels = 1}},
    ]

Each linear layer leads from the order and channels before it to its own. Activations act on each
entry by itself. That commutes with permutations, which move entries, and with every group where the
order is 0; odd ones commute with changes of sign; none commutes with rotations and the like, which
add entries up, and is refused there.
"""

from __future__ import annotations

import json
import os
import textwrap
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from tannaka.category.groups import Group
from tannaka.category.groups import group as find_group
from tannaka.codegen.backends import ALONE
from tannaka.codegen.files import write_whole
from tannaka.codegen.generate import (
    DType,
    GeneratedCode,
    check_free,
    check_identifier,
    generate,
)
from tannaka.codegen.listing import listing_formats
from tannaka.codegen.lowering.choose import AnyPlan
from tannaka.codegen.modules.commuting import ODD, no_pointwise
from tannaka.codegen.notation import Reduce
from tannaka.codegen.standalone import TARGETS, Target
from tannaka.codegen.standalone.axes import Axes
from tannaka.codegen.standalone.joined import join
from tannaka.diagrams.errors import BackendError, DescriptionError, needing
from tannaka.diagrams.pictures.bundle import mimebundle

ACTIVATIONS = {
    "celu": "torch.celu({})",
    "elu": "nn.functional.elu({})",
    "gelu": "nn.functional.gelu({})",
    "leaky_relu": "nn.functional.leaky_relu({})",
    "relu": "torch.relu({})",
    "sigmoid": "torch.sigmoid({})",
    "silu": "nn.functional.silu({})",
    "softplus": "nn.functional.softplus({})",
    "softsign": "nn.functional.softsign({})",
    "tanh": "torch.tanh({})",
}
"""What activations are in PyTorch."""
TORCH_FILES = tuple(name for name in ALONE if TARGETS.get(name, Target()).framework == "torch")
"""The backends that write files for PyTorch."""


@dataclass(frozen=True)
class Linear:
    """An equivariant linear layer."""

    k: Any
    l: Any
    in_channels: int
    out_channels: int
    bias: bool = True
    reduce: Reduce = "mean"


@dataclass(frozen=True)
class Activation:
    """A function of each entry by itself."""

    name: str


Step: TypeAlias = Linear | Activation


@dataclass(frozen=True)
class Model:
    """A network: the group, and its layers in order."""

    name: str
    group: Group
    steps: tuple[Step, ...]

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The linear layers."""
        return tuple(step for step in self.steps if isinstance(step, Linear))


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


def read_description(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The description in a file, by its ending: .toml, .json, .yaml or .yml (which needs PyYAML).

    Raises DescriptionError for a file that is not of its format, OSError where it cannot be read.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"a description is a mapping or the path of a file, got {path!r}")
    suffix = Path(path).suffix.lower()
    try:
        text = Path(path).read_text(encoding="utf-8")
        if suffix == ".toml":
            found: Any = tomllib.loads(text)
        elif suffix == ".json":
            found = json.loads(text)
        elif suffix in (".yaml", ".yml"):
            with needing("a description in YAML"):
                yaml: Any = import_module("yaml")
            try:
                found = yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise ValueError(" ".join(str(error).split())) from error
        else:
            raise DescriptionError(
                f"{path}: a description is a file that ends in .toml, .json or .yaml"
            )
    except DescriptionError:
        raise
    except (ValueError, RecursionError) as error:
        raise DescriptionError(f"{path} is not {suffix[1:].upper()}: {error}") from error
    if not isinstance(found, dict):
        raise DescriptionError(f"{path}: a description is a table, got {type(found).__name__}")
    return found


def model(description: Mapping[str, Any]) -> Model:
    """The network that a description describes.

    Raises DescriptionError for what it does not say, or says wrongly, and for activations that do
    not commute with the group.

    >>> found = model({
    ...     "name": "Counts", "group": "S()", "input": {"order": 2, "channels": 1},
    ...     "layers": [{"linear": {"order": 1, "channels": 8}}, {"activation": "relu"},
    ...                {"linear": {"order": 0, "channels": 1, "bias": False}}],
    ... })
    >>> found.linears[1]
    Linear(k=1, l=0, in_channels=8, out_channels=1, bias=False, reduce='mean')
    """
    _keys("the description", description, {"name", "group", "input", "layers"})
    name, group = description["name"], _group(description["group"])
    check_identifier(name)
    given = description["input"]
    _keys("input", given, {"order", "channels"})
    order, channels = _order("input", given["order"]), _channels("input", given["channels"])
    layers = description["layers"]
    if not isinstance(layers, Sequence) or isinstance(layers, str) or not layers:
        raise DescriptionError(f"layers must be a list of layers, got {layers!r}")
    steps: list[Step] = []
    for number, layer in enumerate(layers, start=1):
        where = f"layer {number}"
        if not isinstance(layer, Mapping) or len(layer) != 1:
            raise DescriptionError(
                f"{where} must be one of {{linear = {{...}}}} and {{activation = ...}}, got {layer!r}"
            )
        ((kind, value),) = layer.items()
        if kind == "linear":
            step = _linear(where, value, order, channels)
            order, channels = step.l, step.out_channels
            steps.append(step)
        elif kind == "activation":
            steps.append(_activation(where, value, group, order))
        else:
            raise DescriptionError(f"{where}: there is no {kind!r}; choose linear or activation")
    if not any(isinstance(step, Linear) for step in steps):
        raise DescriptionError("layers must have a linear one")
    return Model(name, group, tuple(steps))


def _keys(what: str, found: Any, needed: set[str], allowed: frozenset[str] = frozenset()) -> None:
    if not isinstance(found, Mapping):
        raise DescriptionError(f"{what} must be a table, got {found!r}")
    if missing := needed - set(found):
        raise DescriptionError(f"{what} must say {', '.join(sorted(missing))}")
    if unknown := set(found) - needed - allowed:
        known = ", ".join(sorted(needed | allowed))
        raise DescriptionError(
            f"{what}: there is no {', '.join(map(repr, sorted(map(str, unknown))))}; it may say {known}"
        )


def _group(text: Any) -> Group:
    if not isinstance(text, str):
        raise DescriptionError(f"group must be text such as 'S()' or 'O(3)', got {text!r}")
    return find_group(text)


def _order(where: str, value: Any) -> Any:
    """An order, or a word of axis types."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, list) and all(type(kind) is int and kind >= 0 for kind in value):
        return tuple(value)
    raise DescriptionError(
        f"{where}: order must be 0, 1, ... or a list of axis types such as [0, 1], got {value!r}"
    )


def _channels(where: str, value: Any) -> int:
    if type(value) is not int or value < 1:
        raise DescriptionError(f"{where}: channels must be 1, 2, ..., got {value!r}")
    return value


def _linear(where: str, value: Any, order: Any, channels: int) -> Linear:
    _keys(where, value, {"order", "channels"}, frozenset({"bias", "reduce"}))
    bias, reduce = value.get("bias", True), value.get("reduce", "mean")
    if not isinstance(bias, bool):
        raise DescriptionError(f"{where}: bias must be true or false, got {bias!r}")
    if reduce not in ("mean", "sum"):
        raise DescriptionError(f"{where}: reduce must be 'mean' or 'sum', got {reduce!r}")
    out = _channels(where, value["channels"])
    return Linear(order, _order(where, value["order"]), channels, out, bias, reduce)


def _activation(where: str, value: Any, group: Group, order: Any) -> Activation:
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise DescriptionError(
            f"{where}: activation must be one of {', '.join(sorted(ACTIVATIONS))}, got {value!r}"
        )
    if reason := no_pointwise(group, order, odd=value in ODD):
        raise DescriptionError(
            f"{where}: {value} of each entry does not commute: {reason}; take it at order 0, where entries are invariant"
        )
    return Activation(value)


def generate_network(
    description: Model | Mapping[str, Any] | str | os.PathLike[str],
    *,
    backend: str = "auto",
    dtype: DType | None = None,
) -> GeneratedNetwork:
    """Write a network as one file, which needs only torch, and what its backend needs.

    ``description`` is a mapping as above, or the path of a file that holds one. The file has a class
    for each linear layer, as :func:`generate` writes it, and one for the network, whose ``linear1``,
    ``linear2``, ... these are. Run as a script it checks each layer against its dense reference, and
    that the network commutes with a random group element.

    Raises DescriptionError for what is no description, or one of a network that does not commute or
    whose sizes its input does not say, BackendError for a backend of another library than PyTorch
    and for layers that cannot be written, OSError where a file cannot be read.

    >>> generate_network({
    ...     "name": "Counts", "group": "S()", "input": {"order": 2, "channels": 1},
    ...     "layers": [{"linear": {"order": 1, "channels": 8}}, {"activation": "relu"},
    ...                {"linear": {"order": 0, "channels": 1}}],
    ... }).name
    'Counts'
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
    for number, one in enumerate(axes, start=1):
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
    source = join(
        [code.source for code in codes],
        docstring=_docstring(described, axes),
        ending=lambda names: _network(described, axes, names),
    )
    check_free(described.name, source)
    return GeneratedNetwork(
        described.name, source, tuple(code.plan for code in codes), codes[0].backend
    )


def _docstring(described: Model, axes: Sequence[Axes]) -> str:
    first, last = axes[0], axes[-1]
    headline = f"Network that commutes with {first.group}."
    number, lines = 0, []
    for step in described.steps:
        if isinstance(step, Linear):
            number += 1
            lines.append(
                f"    linear{number}: order {step.k} to {step.l}, "
                f"{step.in_channels} to {step.out_channels} channels"
            )
        else:
            lines.append(f"    {step.name}")
    shapes = f"Input {first.shaped('IN')}, output {last.shaped('OUT')}: channels last."
    use = (
        f"{described.name}() needs no arguments. Each layer is the sum over its DIAGRAMS of the matrix "
        "of the diagram, its channels multiplied by the row of the weight with the same number. Run "
        "this file to check the layers against dense references, and the network as a whole."
    )
    return "\n".join(
        [headline, "", *textwrap.wrap(shapes, 99), "", *lines, "", *textwrap.wrap(use, 99)]
    )


def _network(described: Model, axes: Sequence[Axes], names: Sequence[Mapping[str, str]]) -> str:
    """The class of the network, and the check of all."""
    first, last, name = axes[0], axes[-1], described.name
    masked = first.masked is not None
    made, run, number = [], [], 0
    for step in described.steps:
        if isinstance(step, Linear):
            number += 1
            made.append(
                f"        self.linear{number} = {name}Linear{number}(device=device, dtype=dtype)\n"
            )
            each = axes[number - 1]
            takes = masked and each.masked in each.inputs + each.outputs
            run.append(f"self.linear{number}(x{', mask' * takes})")
        else:
            run.append(ACTIVATIONS[step.name].format("x"))
    mask = ", mask: Tensor | None = None" * masked
    if masked and last.masked in last.outputs and isinstance(described.steps[-1], Activation):
        # What an activation makes of 0 need not be 0.
        real, out = names[-1].get("real", "real"), names[-1].get(last.word("OUT"), last.word("OUT"))
        run.append(f"x if mask is None else torch.where({real}(mask, {out}), x, 0.0)")
    lines = [f"        x = {line}\n" for line in run[:-1]]
    if run[-1].startswith("self."):
        # To checkers of types, modules give anything.
        lines += [f"        y: Tensor = {run[-1]}\n", "        return y\n"]
    else:
        lines.append(f"        return {run[-1]}\n")
    checks = "".join(f"    {each['check']}()\n" for each in names)
    sizes = first.literal(first.own())
    random = names[0].get("random_element", "random_element")
    act_in, act_out = names[0].get("act", "act"), names[-1].get("act", "act")
    shape = [2, *(first.own()[kind] for kind in first.inputs), described.linears[0].in_channels]
    return f'''\
class {name}(nn.Module):
    """Network that commutes with {first.group}: {len(described.linears)} linear layers."""

    group = "{first.group}"
    in_order, out_order = {first.plan.dom!r}, {last.plan.cod!r}
    in_channels, out_channels = {first.plan.in_channels}, {last.plan.out_channels}

    def __init__(
        self, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
{"".join(made)}
    def forward(self, x: Tensor{mask}) -> Tensor:
        """Map {first.shaped("IN")} to {last.shaped("OUT")}."""
{"".join(lines)}

def check() -> None:
    """Stop with an error unless the layers are what this file says, and the network commutes."""
{checks}    torch.manual_seed(0)
    network = {name}(dtype=torch.float64)
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    x = torch.randn({tuple(shape)}, dtype=torch.float64)
    g = {random}({"" if first.fixed else sizes})
    with torch.no_grad():
        got, want = network({act_in}(g, x, {first.plan.dom!r})), {act_out}(g, network(x), {last.plan.cod!r})
    error = float((got - want).abs().max()) / max(float(want.abs().max()), 1e-300)
    print(f"the network commutes with a random group element: relative error {{error:.1e}}")
    if not error < 1e-10 or not want.any():
        raise SystemExit("FAILED: the network does not commute, or is 0")


if __name__ == "__main__":
    check()
'''
