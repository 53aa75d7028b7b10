"""Does a Python file hold an equivariant module? Any file, ours or somebody else's.

The file is run, its module is built, and f(g x) is compared with g f(x) as
:func:`tannaka.testing.assert_equivariant` does. What a freshly built module hides is brought out:
parameters that start constant, such as a bias of zeros or the scale of a norm, are drawn anew, since
they commute with everything until they are trained.
"""

from __future__ import annotations

import hashlib
import linecache
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from tannaka.category.groups import Group, MatrixGroup
from tannaka.category.hom import Hom
from tannaka.category.product import Product
from tannaka.codegen.check import EquivarianceReport, channels_of, group_of, measure
from tannaka.diagrams.errors import EquivarianceError

Layout: TypeAlias = Literal["last", "first", "none"]
"""Where the axis of channels is: after those of the group, before them, or nowhere."""
DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Finding:
    """What the check of one module in one dtype has found."""

    module: str
    dtype: str
    report: EquivarianceReport | None
    failure: str
    """Why the module is not equivariant, or could not be told to be; empty where it is."""

    def __str__(self) -> str:
        said = str(self.report) if self.report else f"{self.failure} (torch.{self.dtype})"
        return f"{self.module}: {said}"


@dataclass(frozen=True)
class Check:
    """How modules of a file are to be checked.

    ``group``, ``k`` and ``l`` are the module's own attributes (``group``, ``in_order`` and
    ``out_order``) where None. ``batch`` is the shape before the axes of the group, ``layouts``
    where the channels of input and output are. ``weights`` is a file with a state dict; without
    one, constant parameters are drawn anew. Modules are in evaluation mode unless ``training``.
    """

    group: Group | None = None
    k: Any = None
    l: Any = None
    name: str | None = None
    """The class, module or function of the file; None for all modules that name their group."""
    arguments: Mapping[str, Any] | None = None
    """The keyword arguments that the module is built with."""
    channels: int | None = None
    n: int = 5
    """Which member of a family such as S() the module is checked for."""
    layouts: tuple[Layout, Layout] = ("last", "last")
    batch: Sequence[int] = (2,)
    samples: int = 8
    seed: int = 0
    dtypes: Sequence[str] = DTYPES
    tolerance: float | None = None
    device: str = "cpu"
    weights: Path | None = None
    training: bool = False


def verify_file(path: Path, check: Check | None = None) -> Iterator[Finding]:
    """Run a file and check its modules, in each dtype; what fails is found, not raised.

    What the file prints goes to the error stream. Raises ValueError where the file does not run,
    holds no module to check, or its module takes other inputs than those of its group and orders.
    """
    check = check or Check()
    file = _run(path)
    for name in _chosen(path, file, check):
        for dtype in check.dtypes:
            yield _found(path, file, name, dtype, check)


def _run(path: Path) -> ModuleType:
    """The file as a module; its neighbours can be imported, as where it is run as a script."""
    name = f"tannaka_verified_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.path.insert(0, str(path.resolve().parent))
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    # Registered first, as an import does it: dataclasses look their module up while it runs.
    sys.modules[name] = module
    linecache.checkcache(str(path))
    try:
        with _answering(f"{path} does not run"), redirect_stdout(sys.stderr):
            source = path.read_bytes()
            exec(compile(source, str(path), "exec"), module.__dict__)
    finally:
        sys.path.remove(str(path.resolve().parent))
        sys.dont_write_bytecode = kept
    return module


@contextmanager
def _answering(what: str) -> Iterator[None]:
    """Turn whatever foreign code raises into a ValueError that says which code it was."""
    try:
        yield
    except (Exception, SystemExit) as error:
        why = str(error).strip().split("\n")[0] or "no reason given"
        raise ValueError(f"{what}: {type(error).__name__}: {why}") from error


def _chosen(path: Path, file: ModuleType, check: Check) -> list[str]:
    """The names of what is to be checked."""
    classes = {
        name: value
        for name, value in vars(file).items()
        if isinstance(value, type)
        and issubclass(value, nn.Module)
        and value.__module__ == file.__name__
    }
    modules = {name: value for name, value in vars(file).items() if isinstance(value, nn.Module)}
    there = ", ".join([*classes, *modules]) or "none"
    if check.name is not None:
        if not hasattr(file, check.name):
            raise ValueError(f"{path} holds no {check.name}; its torch modules: {there}")
        return [check.name]
    told = [name for name, value in (classes | modules).items() if hasattr(value, "group")]
    if told:
        return told
    if not classes and not modules:
        raise ValueError(
            f"{path} holds no torch module, no class and no object; a generated file of another "
            f"framework checks itself: python {path}"
        )
    if len(classes | modules) > 1 and check.group is not None:
        raise ValueError(f"{path} holds several torch modules: choose one of {there} by --class")
    if check.group is None:
        raise ValueError(
            f"{path} holds no module that names its group and orders: say --group, --in and --out"
        )
    return list(classes | modules)


def _found(path: Path, file: ModuleType, name: str, dtype: str, check: Check) -> Finding:
    with redirect_stdout(sys.stderr):
        module = _built(path, file, name, dtype, check)
        hom = _hom(path, name, module, check)
        given, returned = check.layouts
        channels = 1 if given == "none" else check.channels or channels_of(module)

        def call(x: Tensor) -> Tensor:
            with _answering(
                f"{name} in {path} does not run on an input of shape "
                f"{tuple(_given(x, given, len(check.batch)).shape)}"
            ):
                y = module(_given(x, given, len(check.batch)))
            found: Tensor = _returned(y, returned, len(check.batch))
            return found

        try:
            report = measure(
                call,
                hom.group,
                hom.k,
                hom.l,
                in_channels=channels,
                batch_shape=tuple(check.batch),
                samples=check.samples,
                dtype=getattr(torch, dtype),
                device=check.device,
                tolerance=check.tolerance,
                allow_zero=hom.dimension == 0,
                seed=check.seed,
            )
        except EquivarianceError as error:
            return Finding(name, dtype, None, str(error))
    equivariant = report.error <= report.tolerance
    return Finding(name, dtype, report, "" if equivariant else "not equivariant")


def _built(path: Path, file: ModuleType, name: str, dtype: str, check: Check) -> nn.Module:
    """The module, made anew where the file has its class, in a dtype and on a device."""
    value = getattr(file, name)
    torch.manual_seed(check.seed)
    with _answering(f"{name} in {path} cannot be built"):
        module = value if isinstance(value, nn.Module) else value(**(check.arguments or {}))
        if not isinstance(module, nn.Module):
            raise TypeError(f"it gives a {type(module).__name__}, not a torch module")
        module = module.to(device=check.device, dtype=getattr(torch, dtype))
    module.train(check.training)
    if check.weights is not None:
        with _answering(f"{check.weights} does not fit {name}"):
            state = torch.load(check.weights, map_location=check.device, weights_only=True)
            module.load_state_dict(state)
        return module
    generator = torch.Generator().manual_seed(check.seed)
    for parameter in module.parameters():
        lazy = isinstance(parameter, nn.parameter.UninitializedParameter)
        if lazy or not parameter.numel() or not parameter.is_floating_point():
            continue
        if bool((parameter == parameter.flatten()[0]).all()):
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.data.copy_(drawn)
    return module


def _hom(path: Path, name: str, module: nn.Module, check: Check) -> Hom:
    """The Hom space that a module claims to lie in, from what was asked or else from itself."""
    group = check.group if check.group is not None else getattr(module, "group", None)
    k = check.k if check.k is not None else getattr(module, "in_order", None)
    l = check.l if check.l is not None else getattr(module, "out_order", None)
    if group is None or k is None or l is None:
        raise ValueError(
            f"{name} in {path} does not name its group and orders: say --group, --in and --out"
        )
    return Hom(_member(group_of(module, group), check.n), k, l)


def _member(group: Group, n: int) -> Group:
    """The group, or for a family that leaves n open, its member at n."""
    if isinstance(group, Product):
        members = (type(factor)(n) if factor.open else factor for factor in group.factors)
        return Product(tuple(members))
    return type(group)(n) if isinstance(group, MatrixGroup) and group.open else group


def _given(x: Tensor, layout: Layout, batch: int) -> Tensor:
    """An input with channels last, in the layout that the module takes."""
    if layout == "none":
        return x.squeeze(-1)
    return x.movedim(-1, batch) if layout == "first" else x


def _returned(y: Any, layout: Layout, batch: int) -> Any:
    """An output of the module's layout, with channels last."""
    if not isinstance(y, Tensor):
        return y
    if layout == "none":
        return y.unsqueeze(-1)
    return y.movedim(batch, -1) if layout == "first" and y.ndim > batch else y


def layouts(text: str) -> tuple[Layout, Layout]:
    """The layouts of input and output, from "last", or from both as "none,last".

    >>> layouts("first"), layouts("none,last")
    (('first', 'first'), ('none', 'last'))
    """
    words = [word.strip() for word in text.split(",")]
    words = words * 2 if len(words) == 1 else words
    if len(words) != 2 or not set(words) <= set(get_args(Layout)):
        raise ValueError(
            f"a layout is last, first or none, or two of them as none,last; got {text!r}"
        )
    return words[0], words[1]  # type: ignore[return-value]
