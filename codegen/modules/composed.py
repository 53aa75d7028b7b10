"""Networks that know the features between their layers, and are refused where symmetry would break.

What may stand in them is for :mod:`tannaka.codegen.modules.rules`; anything else may be declared: see
:class:`Declared`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tannaka.category.groups import Group
from tannaka.codegen.modules.blocks import (
    FUNCTIONS,
    Block,
    EquivariantDropout,
    Pool,
    check_input,
    zero_padding,
)
from tannaka.codegen.modules.bottlenecks import passing
from tannaka.codegen.modules.cards import Made
from tannaka.codegen.modules.features import Features, check_features
from tannaka.codegen.modules.rules import (
    brief,
    declared,
    features_after,
    in_a_row,
    keeps_all,
    mixing,
    without_mask,
)
from tannaka.codegen.network import open_types, word
from tannaka.codegen.trust.check import assert_equivariant
from tannaka.codegen.trust.sampled import takes, takes_mask
from tannaka.diagrams.diagram import listed, natural
from tannaka.diagrams.errors import BottleneckWarning, NotEquivariantError


class Declared(Block):
    """A module of anyone's, with the features that it takes and gives: said, and then sampled.

    ``check`` says with how many group elements it is tried at once, in evaluation mode; 0 for none,
    for what is too large. Of a family it takes a mask where the module has an argument of that name,
    and with some module that has none, a mask is refused. Raises EquivarianceError where the module
    does not commute.

    >>> from tannaka.category import S
    >>> class Centred(nn.Module):
    ...     def forward(self, x): return x - x.mean(-2, keepdim=True)
    >>> points = Features(S(5), 1, 3)
    >>> Declared(Centred(), points, points)(torch.ones(5, 3)).sum()
    tensor(0.)
    """

    def __init__(
        self,
        module: nn.Module,
        inputs: Features | Sequence[Features],
        output: Features,
        *,
        check: int = 4,
    ) -> None:
        super().__init__()
        self.inputs = (
            (inputs,)
            if isinstance(inputs, Features)
            else listed("inputs", inputs, what="tn.nn.Features")
        )
        if not isinstance(module, nn.Module):
            raise TypeError(f"what is declared is a torch module, got {type(module).__name__}")
        check_features(*self.inputs, output)
        check = natural("check", check, least=0, what="a number of group elements")
        self.output, self.module = output, module
        self.sized = takes(module, "n")
        if check:
            training = module.training
            try:
                # In its own dtype, as it is.
                assert_equivariant(
                    module.eval(),
                    output.group,
                    self.in_order,
                    output.order,
                    in_channels=self.in_channels,
                    samples=check,
                )
            finally:
                module.train(training)

    def forward(self, *inputs: Tensor, mask: Tensor | None = None, n: int | None = None) -> Tensor:
        """Apply the module; it is told n where it wants to know, and its inputs do not say it."""
        for x, expected in zip(inputs, self.inputs, strict=True):
            check_input(x, expected)
        y: Tensor
        n = told(n, self.inputs, inputs, mask)
        if mask is None:
            y = self.module(*inputs, **({"n": n} if self.sized and wants_n(self) else {}))
        elif takes_mask(self.module):
            y = self.module(*inputs, mask=mask)
        else:
            raise ValueError(without_mask(self.module))
        check_input(y, self.output)
        return y


class EquivariantSequential(Block):
    """Modules one after the other, each refused at construction where it would break the symmetry.

    Knows group, order and channels of what passes between its modules. Linear layers, blocks and
    generated layers say theirs; modules of ``torch.nn`` are taken where they commute with the group on
    the features that reach them. ``features`` says what comes in, where the first module does not.

    Raises NotEquivariantError for what does not commute or does not fit, naming the module, the
    features and what to take instead; warns (BottleneckWarning) where features in between let fewer
    maps through than their neighbours have.

    A mask of a family's points goes to every module that takes one, and the output is 0 where no point
    is real. Modules that a feature of order 0 reaches are told n, as the input has it; where that has
    no such axis either, ``net(x, n=...)`` says it.

    >>> from tannaka.category import S
    >>> from tannaka.codegen.modules.linear import EquivariantLinear
    >>> net = EquivariantSequential(
    ...     EquivariantLinear(S(5), 2, 2, 1, 8), nn.ReLU(), EquivariantLinear(S(5), 2, 0, 8, 1)
    ... )
    >>> net(torch.randn(3, 5, 5, 1)).shape
    torch.Size([3, 1])
    >>> print(net.between[1])
    S(5) order 2, 8 channels: (*batch, 5, 5, 8)
    """

    def __init__(self, *modules: nn.Module, features: Features | None = None) -> None:
        super().__init__()
        if not modules:
            raise ValueError("a sequence of modules has at least one")
        for module in modules:
            if isinstance(module, list | tuple):
                raise TypeError("modules come one by one: EquivariantSequential(*modules)")
            if not isinstance(module, nn.Module):
                name = getattr(module, "__name__", None)
                way = ""
                if name in FUNCTIONS:
                    way = f"; tn.nn.Pointwise(group, order, channels, {name!r}) makes one"
                raise TypeError(f"a sequence is of torch modules, got {name or repr(module)}{way}")
        if features is not None:
            check_features(features)
        else:
            claimed = declared(modules[0])
            if claimed is None:
                raise NotEquivariantError(
                    f"{brief(modules[0])} does not say what features it takes: "
                    "EquivariantSequential(..., features=tn.nn.Features(group, order, channels))"
                )
            if len(claimed[0]) != 1:
                raise NotEquivariantError(
                    f"{brief(modules[0])} takes {len(claimed[0])} inputs: take tn.nn.EquivariantGraph"
                )
            (features,) = claimed[0]
        found = [features]
        self.mixing: str | None = None
        for number, module in enumerate(modules):
            found.append(features_after(module, found[-1], where=f"module {number}"))
            self.mixing = self.mixing or mixing(module, found[-2])
        self.between = tuple(found)
        self.inputs, self.output = (features,), found[-1]
        self.steps = nn.ModuleList(modules)
        self.wanting = tuple(map(wants_n, modules))
        self.sized = any(self.wanting)
        orders = [features.order]
        for module, after in zip(modules, found[1:], strict=True):
            if declared(module) is not None and not keeps_all(module):
                orders.append(after.order)
        _warn(features.group, orders)

    def forward(self, x: Tensor, mask: Tensor | None = None, *, n: int | None = None) -> Tensor:
        """Apply the modules in order."""
        check_input(x, self.inputs[0])
        n = told(n, self.inputs, (x,), mask)
        if mask is None:
            for module, wanting in zip(self.steps, self.wanting, strict=True):
                x = applied(module, n, x) if wanting else module(x)
            return x
        if self.mixing is not None:
            raise ValueError(self.mixing)
        # Before anything else, since 0 times NaN, in a gradient, is NaN.
        x = zero_padding(x, mask, self.inputs[0])
        for module in self.steps:
            x = masked(module, mask, x)
        return zero_padding(x, mask, self.output)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> nn.Module:
        return self.steps[index]

    def __iter__(self) -> Iterator[nn.Module]:
        return iter(self.steps)

    def made(self) -> list[Made]:
        """The features between the modules."""
        names = ["input", *map(str, range(len(self.steps)))]
        rest = zip(names[1:], self.between[1:], self.steps, names, strict=False)
        return [
            Made(names[0], self.between[0]),
            *(Made(name, found, module, (before,)) for name, found, module, before in rest),
        ]

    def explain(self) -> str:
        """The modules as lines, with the features between them.

        >>> from tannaka.category import S
        >>> from tannaka.codegen.modules.blocks import Pool
        >>> print(EquivariantSequential(Pool(S(5), 1, 2), nn.Linear(2, 3)).explain())
            S(5) order 1, 2 channels: (*batch, 5, 2)
        0   Pool
            S(5) order 0, 2 channels: (*batch, 2)
        1   Linear
            S(5) order 0, 3 channels: (*batch, 3)
        """
        lines = [f"    {self.between[0]}"]
        for number, (module, after) in enumerate(zip(self.steps, self.between[1:], strict=True)):
            lines += [f"{number:<4}{type(module).__name__}", f"    {after}"]
        return "\n".join(lines)


class Residual(Block):
    """x + f(x), for modules one after the other that give the features they take.

    >>> from tannaka.category import O
    >>> from tannaka.codegen.modules.linear import EquivariantLinear
    >>> Residual(EquivariantLinear(O(3), 2, 2, 4, 4))(torch.ones(3, 3, 4)).shape
    torch.Size([3, 3, 4])
    """

    def __init__(self, *modules: nn.Module, features: Features | None = None) -> None:
        super().__init__()
        self.body = EquivariantSequential(*modules, features=features)
        self.inputs, self.output = self.body.inputs, self.body.output
        self.sized = self.body.sized
        if self.output != self.inputs[0]:
            raise NotEquivariantError(
                f"x + f(x) needs f to give what it takes, {self.inputs[0]}; this one gives {self.output}"
            )
        if overwrites(self.body):
            raise ValueError(
                "x + f(x) needs x after f, and a module with inplace=True writes over it: leave that out"
            )

    def forward(self, x: Tensor, mask: Tensor | None = None, *, n: int | None = None) -> Tensor:
        """Add what the modules make of x to x."""
        y: Tensor = self.body(x, mask, n=n)
        return (x if mask is None else zero_padding(x, mask, self.output)) + y

    def made(self) -> list[Made]:
        """The features in f, and their sum with x."""
        *steps, last = self.body.made()
        return [
            *steps,
            last,
            Made("x + f(x)", self.output, Add(self.output), (steps[0].name, last.name)),
        ]


class Add(Block):
    """The sum of features of one kind: ``Add(features, 3)`` takes three tensors."""

    entrywise = True

    def __init__(self, features: Features, count: int = 2) -> None:
        super().__init__()
        check_features(features)
        count = natural("count", count, least=1, what="a number of tensors")
        self.inputs, self.output = (features,) * count, features

    def forward(self, *inputs: Tensor) -> Tensor:
        """Add them up."""
        for x, expected in zip(inputs, self.inputs, strict=True):
            check_input(x, expected)
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total


class Concatenate(Block):
    """The channels of several features of one order, one after the other.

    >>> from tannaka.category import S
    >>> both = Concatenate(Features(S(5), 1, 2), Features(S(5), 1, 3))
    >>> both(torch.ones(5, 2), torch.ones(5, 3)).shape
    torch.Size([5, 5])
    """

    entrywise = True

    def __init__(self, *features: Features) -> None:
        super().__init__()
        if not features:
            raise ValueError(
                "channels side by side need features: Concatenate(features, features, ...)"
            )
        check_features(*features)
        first, *rest = features
        for other in rest:
            if (other.group, other.order) != (first.group, first.order):
                raise NotEquivariantError(
                    f"channels side by side need one group and order, got {first} and {other}"
                )
        self.inputs = features
        self.output = Features(first.group, first.order, sum(one.channels for one in features))

    def forward(self, *inputs: Tensor) -> Tensor:
        """Join them along the last axis."""
        for x, expected in zip(inputs, self.inputs, strict=True):
            check_input(x, expected)
        return torch.cat(inputs, -1)


class EquivariantGraph(Block):
    """Named features, each made by a module from features before it; several inputs and branches.

    ``inputs`` has the features by name, ``steps`` are (name, module, names of its arguments...),
    ``output`` is the name of the result, the last step's unless given; with a list of names the
    result is a dict of these. Refuses as :class:`EquivariantSequential` does, naming the step, and
    warns of steps that no output needs. Called with the inputs in order, or by name; a mask of a
    family's points is named, ``mask=``.

    >>> from tannaka.category import O
    >>> from tannaka.codegen.modules.blocks import Gate
    >>> from tannaka.codegen.modules.linear import EquivariantLinear
    >>> net = EquivariantGraph(
    ...     {"x": Features(O(3), 2, 4)},
    ...     [
    ...         ("s", EquivariantLinear(O(3), 2, 0, 4, 8), "x"),
    ...         ("h", EquivariantLinear(O(3), 2, 2, 4, 8), "x"),
    ...         ("y", Gate(O(3), 2, 8), "h", "s"),
    ...     ],
    ... )
    >>> net(torch.randn(5, 3, 3, 4)).shape
    torch.Size([5, 3, 3, 8])
    >>> both = EquivariantGraph(
    ...     {"x": Features(O(3), 1, 4)},
    ...     [
    ...         ("length", Pool(O(3), 1, 4, "norm"), "x"),
    ...         ("energy", nn.Linear(4, 1), "length"),
    ...         ("dipole", EquivariantLinear(O(3), 1, 1, 4, 1), "x"),
    ...     ],
    ...     output=["energy", "dipole"],
    ... )
    >>> {name: tuple(y.shape) for name, y in both(torch.randn(5, 3, 4)).items()}
    {'energy': (5, 1), 'dipole': (5, 3, 1)}
    """

    def __init__(
        self,
        inputs: Mapping[str, Features],
        steps: Sequence[tuple[Any, ...]],
        output: str | Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(inputs, Mapping) or not isinstance(steps, Sequence):
            raise TypeError(
                "a graph is of inputs {name: features} and steps [(name, module, names of "
                f"arguments...), ...], got {type(inputs).__name__} and {type(steps).__name__}"
            )
        check_features(*inputs.values())
        self.between: dict[str, Features] = dict(inputs)
        if not inputs or not steps:
            raise ValueError("a graph has an input and a step at least")
        if taken := {"mask", "n"} & set(inputs):
            raise ValueError(
                f"no input can be called {taken.pop()!r}: mask= says which points are real, n= how many "
                "there are"
            )
        groups = list(dict.fromkeys(one.group for one in inputs.values()))
        if len(groups) > 1:
            raise NotEquivariantError(
                f"one group acts on all inputs, got {' and '.join(map(str, groups))}: name a group in "
                "all of them, whose elements they share"
            )
        self.mixing: str | None = None
        self.names = tuple(inputs)
        self.wires: list[tuple[str, tuple[str, ...]]] = []
        self.modules_by_name = nn.ModuleDict()
        for step in steps:
            if (
                not isinstance(step, Sequence)
                or len(step) < 3
                or not isinstance(step[0], str)
                or not isinstance(step[1], nn.Module)
            ):
                raise TypeError(f"a step is (name, module, names of arguments...), got {step!r}")
            name, module, *arguments = step
            if not name or "." in name or hasattr(self.modules_by_name, name):
                raise ValueError(
                    f"no step can be called {name!r}, a name that modules use: choose another"
                )
            if name in self.between:
                raise ValueError(f"there are two features called {name!r}")
            if missing := [one for one in arguments if one not in self.between]:
                raise ValueError(
                    f"step {name!r} takes {missing[0]!r}, but only {', '.join(self.between)} are there"
                )
            given = [self.between[one] for one in arguments]
            self.between[name] = features_after(module, *given, where=f"step {name!r}")
            self.mixing = self.mixing or mixing(module, *given)
            self.modules_by_name[name] = module
            self.wires.append((name, tuple(arguments)))
        self.several = output is not None and not isinstance(output, str)
        self.results = _results(self.wires[-1][0] if output is None else output, self.between)
        self.wanting = {name for name, _ in self.wires if wants_n(self.modules_by_name[name])}
        self.sized = bool(self.wanting)
        self._check_overwritten()
        self._warn_of_idle_steps()
        self.inputs = tuple(inputs.values())
        if not self.several:
            self.output = self.between[self.results[0]]

    @property
    def group(self) -> Group:
        """The group that the network commutes with."""
        return self.inputs[0].group

    @property
    def out_order(self) -> Any:
        """The order of the output; a dict by name where there are several."""
        return self._of_outputs(lambda one: one.order)

    @property
    def out_channels(self) -> Any:
        """The channels of the output; a dict by name where there are several."""
        return self._of_outputs(lambda one: one.channels)

    def _of_outputs(self, what: Callable[[Features], Any]) -> Any:
        found = {name: what(self.between[name]) for name in self.results}
        return found if self.several else found[self.results[0]]

    def _warn_of_idle_steps(self) -> None:
        """Warn of steps that no output needs: nothing is learned in them."""
        needed = set(self.results)
        for name, arguments in reversed(self.wires):
            needed |= set(arguments) if name in needed else set()
        if idle := [name for name, _ in self.wires if name not in needed]:
            warnings.warn(
                f"no output needs {' and '.join(map(repr, idle))}: leave such steps out, or name "
                "several outputs, output=[...]",
                UserWarning,
                stacklevel=3,
            )

    def _check_overwritten(self) -> None:
        """Raise ValueError where features are needed after a step wrote over them."""
        memory = {name: name for name in self.names}
        gone: dict[str, str] = {}
        for name, arguments in self.wires:
            for one in arguments:
                if one in gone:
                    raise ValueError(f"step {name!r} takes {one!r}, {gone[one]}")
            writes = overwrites(self.modules_by_name[name])
            memory[name] = name
            if writes is False:
                continue
            # The output is where the input is; with several inputs any of them may be meant.
            for one in arguments:
                if writes:
                    told = f"which step {name!r} wrote over: leave out its inplace=True"
                    gone |= {n: told for n, at in memory.items() if at == memory[one] and n != name}
                memory[name] = memory[one]
        for one in self.results:
            if one in gone:
                raise ValueError(f"the output is {one!r}, {gone[one]}")
        self.overwrites = any(name in gone for name in self.names)

    def forward(
        self, *inputs: Tensor, mask: Tensor | None = None, n: int | None = None, **named: Tensor
    ) -> Tensor | dict[str, Tensor]:
        """Apply the steps in order."""
        values: dict[str, Tensor] = dict(zip(self.names, inputs, strict=False)) | named
        if set(values) != set(self.names) or len(inputs) + len(named) != len(self.names):
            raise TypeError(
                f"the inputs are {', '.join(self.names)}, got {len(inputs)} in order and "
                f"{', '.join(named) or 'none'} by name; a mask goes in as mask="
            )
        for name in self.names:
            check_input(values[name], self.between[name])
        n = told(n, self.inputs, [values[name] for name in self.names], mask)
        if mask is not None:
            if self.mixing is not None:
                raise ValueError(self.mixing)
            for name in self.names:
                values[name] = zero_padding(values[name], mask, self.between[name])
        for name, arguments in self.wires:
            module, given = self.modules_by_name[name], [values[one] for one in arguments]
            if mask is not None:
                values[name] = masked(module, mask, *given)
            else:
                values[name] = (
                    applied(module, n, *given) if name in self.wanting else module(*given)
                )
        found = {name: values[name] for name in self.results}
        if mask is not None:
            found = {name: zero_padding(y, mask, self.between[name]) for name, y in found.items()}
        return found if self.several else found[self.results[0]]

    def made(self) -> list[Made]:
        """The features by their names, and the modules that make them."""
        steps = [
            Made(
                name,
                self.between[name],
                self.modules_by_name[name],
                arguments,
                name in self.results,
            )
            for name, arguments in self.wires
        ]
        return [*(Made(name, self.between[name]) for name in self.names), *steps]

    def explain(self) -> str:
        """The steps as lines, with the features they make."""
        lines = [f"{name}: {self.between[name]}" for name in self.names]
        for name, arguments in self.wires:
            module = self.modules_by_name[name]
            lines.append(
                f"{name} = {type(module).__name__}({', '.join(arguments)}): {self.between[name]}"
            )
        return "\n".join([*lines, f"return {', '.join(self.results)}"])


def _results(output: Any, between: Mapping[str, Features]) -> tuple[str, ...]:
    """The names of outputs, which must be features that are there."""
    names = (output,) if isinstance(output, str) else output
    if not isinstance(names, list | tuple) or not all(isinstance(one, str) for one in names):
        raise TypeError(f"output is a name or a list of names, got {output!r}")
    if missing := [one for one in names if one not in between]:
        raise ValueError(f"there are no features called {missing[0]!r}")
    if not names or len(set(names)) < len(names):
        raise ValueError(f"outputs have one name each, got {output!r}")
    return tuple(names)


def masked(module: nn.Module, mask: Tensor, *given: Tensor) -> Tensor:
    """What a module makes of features that are padded; all modules in it get the mask."""
    y: Tensor
    if in_a_row(module):
        (y,) = given
        for inner in module._modules.values():
            assert inner is not None
            y = masked(inner, mask, y)
        return y
    y = module(*given, mask=mask) if takes_mask(module) else module(*given)
    return y


def wants_n(module: nn.Module) -> bool:
    """Whether a module of a family has to be told n: no axis of what it takes says it."""
    if in_a_row(module):
        return any(inner is not None and wants_n(inner) for inner in module._modules.values())
    claimed = declared(module)
    if claimed is None:
        return False
    inputs, output = claimed
    if any(map(_open_axes, inputs)):
        return False
    if isinstance(module, Block):
        return module.sized
    return bool(_open_axes(output)) and takes(module, "n")


def applied(module: nn.Module, n: int | None, *given: Tensor) -> Tensor:
    """What a module that has to be told n makes of features."""
    y: Tensor
    if in_a_row(module):
        (y,) = given
        for inner in module._modules.values():
            assert inner is not None
            y = applied(inner, n, y) if wants_n(inner) else inner(y)
        return y
    y = module(*given, n=n)
    return y


def told(
    n: int | None, inputs: Sequence[Features], given: Sequence[Tensor], mask: Tensor | None
) -> int | None:
    """The n of a family, as inputs have it, or as it is given where they have no such axis.

    Raises ValueError where they differ, or the group is no family.
    """
    kinds = open_types(inputs[0].group)
    if not kinds:
        if n is not None:
            raise ValueError(
                f"n is for networks of a family such as S(), this one is of {inputs[0].group}"
            )
        return None
    seen = [
        x.shape[x.ndim - 1 - one.axes + axis]
        for one, x in zip(inputs, given, strict=True)
        for axis in _open_axes(one)
    ]
    if not seen and isinstance(mask, Tensor) and mask.ndim:
        seen = [mask.shape[-1]]
    if n is not None and seen and seen[0] != n:
        raise ValueError(f"n is {n}, but the inputs or mask say that it is {seen[0]}: leave n out")
    # One number says it for one family alone.
    return seen[0] if seen and len(kinds) == 1 else n


def _open_axes(features: Features) -> list[int]:
    """The axes whose size a family leaves open."""
    kinds = open_types(features.group)
    return [axis for axis, kind in enumerate(word(features.order)) if kind in kinds]


def overwrites(module: nn.Module) -> bool | None:
    """Whether a module writes over its input; None where it may give back that very tensor."""
    if isinstance(module, EquivariantGraph):
        return module.overwrites
    inner = module.steps if isinstance(module, EquivariantSequential) else None
    if inner is not None or in_a_row(module):
        found = (overwrites(one) for one in inner or module.children())
        return next((one for one in found if one is not None), None)
    if isinstance(module, Declared):
        return overwrites(module.module)
    if getattr(module, "inplace", False) is True:
        return True
    passing_on = nn.Identity | nn.Dropout | nn.AlphaDropout | EquivariantDropout | Pool
    return None if isinstance(module, passing_on) else False


def _warn(group: Group, orders: Sequence[Any]) -> None:
    """Warn where an order in between lets fewer maps through than its neighbours have."""
    for before, between, after in zip(orders, orders[1:], orders[2:], strict=False):
        found = passing(group, before, between, after)
        if found is not None and found[0] < found[1]:
            warnings.warn(
                f"of the {found[1]} independent maps from order {before} to {after} that commute with "
                f"{group}, {found[0]} lead through order {between}: features of a higher order in "
                "between would let all through",
                BottleneckWarning,
                stacklevel=3,
            )
