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
import reprlib
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from tannaka.category.groups import Group
from tannaka.category.groups import group as find_group
from tannaka.category.product import Product
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


# Errors show what they refuse, of any size and depth, in a line.
_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxlong = _BRIEF.maxother = 80
_BRIEF.maxlevel = 4


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
            found = json.loads(text, object_pairs_hook=_table)
        elif suffix in (".yaml", ".yml"):
            found = _yaml(text)
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


def _table(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A table of JSON, where the later of two entries with one name would hide the other."""
    _named_once([name for name, _ in pairs])
    return dict(pairs)


def _named_once(names: Sequence[str]) -> None:
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise ValueError(f"a table says {twice[0]!r} twice")


def _yaml(text: str) -> Any:
    """What a text in YAML says; raises ValueError where it is none, or says something twice."""
    with needing("a description in YAML"):
        yaml: Any = import_module("yaml")
    try:
        waiting, done = [yaml.compose(text, Loader=yaml.SafeLoader)], set()
        while waiting:
            node = waiting.pop()
            # Aliases lead to the same node, also to one that they are in.
            if not isinstance(node, yaml.CollectionNode) or id(node) in done:
                continue
            done.add(id(node))
            if isinstance(node, yaml.MappingNode):
                keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
                _named_once([key.value for key in keys])
                waiting += [value for _, value in node.value]
            else:
                waiting += node.value
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except (AttributeError, LookupError) as error:
        # What PyYAML raises where a value is not of the type that its tag names.
        raise ValueError("a value is not of the type of its tag") from error


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
    order, channels = _order("input", given["order"], group), _channels("input", given["channels"])
    layers = description["layers"]
    if not isinstance(layers, Sequence) or isinstance(layers, str) or not layers:
        raise DescriptionError(f"layers must be a list of layers, got {_BRIEF.repr(layers)}")
    steps: list[Step] = []
    for number, layer in enumerate(layers, start=1):
        where = f"layer {number}"
        if not isinstance(layer, Mapping) or len(layer) != 1:
            raise DescriptionError(
                f"{where} must be one of {{linear = {{...}}}}, {{activation = ...}}, "
                f"{{norm_activation = ...}} and {{gate = ...}}, got {_BRIEF.repr(layer)}"
            )
        ((kind, value),) = layer.items()
        if kind == "linear":
            step = _linear(where, value, group, order, channels)
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
        raise DescriptionError(f"{what} must be a table, got {_BRIEF.repr(found)}")
    if missing := needed - set(found):
        raise DescriptionError(f"{what} must say {', '.join(sorted(missing))}")
    if unknown := set(found) - needed - allowed:
        known = ", ".join(sorted(needed | allowed))
        raise DescriptionError(
            f"{what}: there is no {', '.join(map(repr, sorted(map(str, unknown))))}; it may say {known}"
        )


def _group(text: Any) -> Group:
    if not isinstance(text, str):
        raise DescriptionError(
            f"group must be text such as 'S()' or 'O(3)', got {_BRIEF.repr(text)}"
        )
    return find_group(text)


def _order(where: str, value: Any, group: Group) -> Any:
    """An order, or for products a word of axis types."""
    if isinstance(group, Product):
        kinds = isinstance(value, list | tuple) and all(type(kind) is int for kind in value)
        if not kinds or not all(0 <= kind < len(group.factors) for kind in value):
            raise DescriptionError(
                f"{where}: order must be a list of axis types such as [0, 1], each from 0 to "
                f"{len(group.factors) - 1}, for the product {group}; got {_BRIEF.repr(value)}"
            )
        value = tuple(value)
    elif type(value) is not int or value < 0:
        listed = ", not a list, which is for products of groups" * isinstance(value, list | tuple)
        raise DescriptionError(
            f"{where}: order must be 0, 1, ...{listed}; got {_BRIEF.repr(value)}"
        )
    try:
        return group.word("order", value)
    except ValueError as error:
        raise DescriptionError(f"{where}: {error}") from None


def _channels(where: str, value: Any) -> int:
    if type(value) is not int or not 1 <= value < 2**63:
        raise DescriptionError(
            f"{where}: channels must be 1, 2, ..., and less than 2^63; got {_BRIEF.repr(value)}"
        )
    return value


def _linear(where: str, value: Any, group: Group, order: Any, channels: int) -> Linear:
    _keys(where, value, {"order", "channels"}, frozenset({"bias", "reduce"}))
    bias, reduce = value.get("bias", True), value.get("reduce", "mean")
    if not isinstance(bias, bool):
        raise DescriptionError(f"{where}: bias must be true or false, got {_BRIEF.repr(bias)}")
    if reduce not in ("mean", "sum"):
        raise DescriptionError(
            f"{where}: reduce must be 'mean' or 'sum', got {_BRIEF.repr(reduce)}"
        )
    out = _channels(where, value["channels"])
    return Linear(order, _order(where, value["order"], group), channels, out, bias, reduce)


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
    name, each = _of_first_axes(where, "norm_activation", "each", value, group, order)
    if reason := no_norm(group, order, each):
        raise DescriptionError(f"{where}: norm_activation does not commute: {reason}; take gate")
    return NormActivation(name, order, channels, each)


def _gate(where: str, value: Any, group: Group, order: Any, channels: int) -> Gate:
    name, scalars = _of_first_axes(where, "gate", "scalars", value, group, order)
    if reason := no_pointwise(group, scalars, odd=False):
        raise DescriptionError(
            f"{where}: gates of order {scalars} do not commute: {reason}; leave out scalars"
        )
    return Gate(name, Linear(order, scalars, channels, channels))


def _of_first_axes(
    where: str, kind: str, key: str, value: Any, group: Group, order: Any
) -> tuple[str, Any]:
    """The function, and the order of the first axes that ``key`` names; none unless it is there."""
    unit: Any = 0 if isinstance(order, int) else ()
    if not isinstance(value, Mapping):
        return _function(where, kind, value), unit
    _keys(f"{where}: {kind}", value, {"function"}, frozenset({key}))
    name, first = _function(where, kind, value["function"]), unit
    if key in value:
        first = _order(f"{where}: {key}", value[key], group)
        try:
            after(order, first, key)
        except ValueError as error:
            raise DescriptionError(f"{where}: {error}") from None
    return name, first


def _function(where: str, kind: str, value: Any) -> str:
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise DescriptionError(
            f"{where}: {kind} must be one of {', '.join(sorted(ACTIVATIONS))}, got {_BRIEF.repr(value)}"
        )
    return value
