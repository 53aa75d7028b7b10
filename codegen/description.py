"""Descriptions of networks: linear layers with activations, gates and norms of lengths between them.

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

Each linear layer leads from the order and channels before it to its own. Between them there may be

- ``{activation = "relu"}``: a function of each entry by itself. That commutes with permutations,
  which move entries, and with every group where the order is 0; odd ones commute with changes of
  sign; none commutes with rotations and the like, which add entries up, and is refused there.
- ``{norm_activation = "sigmoid"}``: features times a function of their length in each channel, plus a
  learned bias. It commutes with all groups but Sp(n), which keeps no length. With
  ``{norm_activation = {function = "sigmoid", each = [0]}}`` there is a length for each index of the
  first axes, of the types [0]: that of the vector at each point, say.
- ``{gate = "sigmoid"}``: features times a function of scalars, one for each channel, that a linear
  layer of its own makes of them. It commutes with every group; ``{gate = {function = "sigmoid",
  scalars = [0]}}`` has scalars for each index of the first axes.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from tannaka.category.groups import Group
from tannaka.category.groups import group as find_group
from tannaka.codegen.generate import check_identifier
from tannaka.codegen.modules.commuting import ODD, no_norm, no_pointwise
from tannaka.codegen.network import after
from tannaka.codegen.notation import Reduce
from tannaka.diagrams.errors import DescriptionError, needing

ACTIVATIONS = {
    "celu": "torch.celu",
    "elu": "nn.functional.elu",
    "gelu": "nn.functional.gelu",
    "leaky_relu": "nn.functional.leaky_relu",
    "relu": "torch.relu",
    "sigmoid": "torch.sigmoid",
    "silu": "nn.functional.silu",
    "softplus": "nn.functional.softplus",
    "softsign": "nn.functional.softsign",
    "tanh": "torch.tanh",
}
"""What activations are in PyTorch."""


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


@dataclass(frozen=True)
class NormActivation:
    """Features times a function of their length in each channel, for each index of the first axes."""

    name: str
    order: Any
    channels: int
    each: Any


@dataclass(frozen=True)
class Gate:
    """Features times a function of the scalars that a linear layer makes of them."""

    name: str
    linear: Linear


Step: TypeAlias = Linear | Activation | NormActivation | Gate


@dataclass(frozen=True)
class Model:
    """A network: the group, and its layers in order."""

    name: str
    group: Group
    steps: tuple[Step, ...]

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The linear layers, those of gates too."""
        return tuple(
            step.linear if isinstance(step, Gate) else step
            for step in self.steps
            if isinstance(step, Linear | Gate)
        )


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
                f"{where} must be one of {{linear = {{...}}}}, {{activation = ...}}, "
                f"{{norm_activation = ...}} and {{gate = ...}}, got {layer!r}"
            )
        ((kind, value),) = layer.items()
        if kind == "linear":
            step = _linear(where, value, order, channels)
            order, channels = step.l, step.out_channels
            steps.append(step)
        elif kind == "activation":
            steps.append(_activation(where, value, group, order))
        elif kind == "norm_activation":
            steps.append(_norm_activation(where, value, group, order, channels))
        elif kind == "gate":
            steps.append(_gate(where, value, group, order, channels))
        else:
            raise DescriptionError(
                f"{where}: there is no {kind!r}; choose linear, activation, norm_activation or gate"
            )
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
    name = _function(where, "activation", value)
    if reason := no_pointwise(group, order, odd=name in ODD):
        raise DescriptionError(
            f"{where}: {name} of each entry does not commute: {reason}; take norm_activation or gate, "
            "or activations at order 0, where entries are invariant"
        )
    return Activation(name)


def _norm_activation(
    where: str, value: Any, group: Group, order: Any, channels: int
) -> NormActivation:
    name, each = _of_first_axes(where, "norm_activation", "each", value, order)
    if reason := no_norm(group, order, each):
        raise DescriptionError(f"{where}: norm_activation does not commute: {reason}; take gate")
    return NormActivation(name, order, channels, each)


def _gate(where: str, value: Any, group: Group, order: Any, channels: int) -> Gate:
    name, scalars = _of_first_axes(where, "gate", "scalars", value, order)
    if reason := no_pointwise(group, scalars, odd=False):
        raise DescriptionError(
            f"{where}: gates of order {scalars} do not commute: {reason}; leave out scalars"
        )
    return Gate(name, Linear(order, scalars, channels, channels))


def _of_first_axes(where: str, kind: str, key: str, value: Any, order: Any) -> tuple[str, Any]:
    """The function, and the order of the first axes that ``key`` names; none unless it is there."""
    unit: Any = 0 if isinstance(order, int) else ()
    if not isinstance(value, Mapping):
        return _function(where, kind, value), unit
    _keys(f"{where}: {kind}", value, {"function"}, frozenset({key}))
    name, first = _function(where, kind, value["function"]), unit
    if key in value:
        first = _order(f"{where}: {key}", value[key])
        if type(first) is not type(order):
            raise DescriptionError(
                f"{where}: {key} must be written as the order is, {order!r}, got {value[key]!r}"
            )
        try:
            after(order, first, key)
        except ValueError as error:
            raise DescriptionError(f"{where}: {error}") from None
    return name, first


def _function(where: str, kind: str, value: Any) -> str:
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise DescriptionError(
            f"{where}: {kind} must be one of {', '.join(sorted(ACTIVATIONS))}, got {value!r}"
        )
    return value
