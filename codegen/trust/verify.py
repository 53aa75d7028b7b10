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
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import torch
from torch import Tensor, nn

from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.codegen.trust.certificate import Certificate
from tannaka.codegen.trust.certify import certify
from tannaka.codegen.trust.check import EquivarianceReport, channels_of, group_of, measure
from tannaka.codegen.trust.padding import open_factors
from tannaka.codegen.trust.sampled import Layout, takes_mask
from tannaka.diagrams.errors import CertificateError, EquivarianceError

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
    """The size at which a module of a family such as S() is checked; and it is at 3, and padded."""
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


def certify_file(path: Path, check: Check) -> Certificate:
    """Certify the module of a file, with its source; with its weights where the check names some.

    Raises as :func:`verify_file`, and as :func:`tannaka.testing.certify`.
    """
    name, module = _only(path, check)
    own = not hasattr(module, "group")
    if own and (check.group is None or check.k is None or check.l is None):
        raise ValueError(
            f"{name} in {path} does not name its group and orders: say --group, --in and --out"
        )
    named: dict[str, Any] = {} if check.channels is None else {"in_channels": check.channels}
    group = check.group if check.group is not None else group_of(module, module.group)  # type: ignore[arg-type]
    if sizes := _sizes(group, check):
        named["n"] = sizes
    with redirect_stdout(sys.stderr):
        found = certify(
            module,
            check.group if own else None,
            check.k if own else None,
            check.l if own else None,
            dtypes=check.dtypes,
            samples=check.samples,
            seed=check.seed,
            batch_shape=tuple(check.batch),
            layout=check.layouts,
            tolerance=check.tolerance,
            **named,
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return replace(found, source=digest, weights=found.weights if check.weights else None)


def verify_certificate(path: Path, certificate: Certificate, check: Check) -> Certificate:
    """Do again what a certificate says of the module of a file, and return what that gives.

    Raises CertificateError as :meth:`Certificate.check`, and for a file that has changed.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if certificate.source not in (None, digest):
        raise CertificateError(
            f"the certificate is of another file: its digest is {str(certificate.source)[:16]}, that "
            f"of {path} is {digest[:16]}"
        )
    if certificate.weights is not None and check.weights is None:
        raise CertificateError(
            "the certificate is for weights: give their file, a state dict, with --weights"
        )
    seed = certificate.options.get("seed", check.seed)
    _, module = _only(path, replace(check, seed=seed), certificate.module)
    with redirect_stdout(sys.stderr):
        return certificate.check(module)


def _only(path: Path, check: Check, usual: str | None = None) -> tuple[str, nn.Module]:
    """The one module of a file that is asked for, or the usual one, built in float32."""
    file = _run(path)
    if check.name is None and usual is not None and hasattr(file, usual):
        check = replace(check, name=usual)
    names = _chosen(path, file, check)
    if len(names) > 1:
        raise ValueError(
            f"{path} holds several modules: choose one of {', '.join(names)} by --class"
        )
    with redirect_stdout(sys.stderr):
        return names[0], _built(path, file, names[0], "float32", check)


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
        try:
            head, *rest = str(error).strip().split("\n")
            # A head such as "Error(s) in loading state_dict for Layer:" says nothing by itself.
            why = " ".join([head, *(line.strip() for line in rest[: head.endswith(":")])])
            why = why or "no reason given"
        except Exception:
            why = "an error that has no text"
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
        group, k, l = _claims(path, name, module, check)
        one_open = len(open_factors(group)) == 1
        single = not any(isinstance(orders, list | dict) for orders in (k, l))

        def call(*inputs: Tensor, **named: Tensor) -> Any:
            shapes = " and ".join(str(tuple(x.shape)) for x in (*inputs, *named.values()))
            with _answering(f"{name} in {path} does not run on an input of shape {shapes}"):
                return module(*inputs, **named)

        try:
            report = measure(
                call,
                group,
                k,
                l,
                in_channels=check.channels or channels_of(module),
                batch_shape=tuple(check.batch),
                samples=check.samples,
                dtype=getattr(torch, dtype),
                device=check.device,
                tolerance=check.tolerance,
                # Honest where there is no other map.
                allow_zero=single and Hom(group, k, l).dimension == 0,
                seed=check.seed,
                layout=check.layouts,
                n=_sizes(group, check),
                mask=one_open and takes_mask(module),
            )
        except EquivarianceError as error:
            return Finding(name, dtype, None, str(error))
    equivariant = report.error <= report.tolerance
    return Finding(name, dtype, report, "" if equivariant else "not equivariant")


def _sizes(group: Group, check: Check) -> tuple[int, ...] | None:
    """The members of a family that are tried; None for one group, which has its own n."""
    return tuple(dict.fromkeys((check.n, 3))) if open_factors(group) else None


def _built(path: Path, file: ModuleType, name: str, dtype: str, check: Check) -> nn.Module:
    """The module, made anew where the file has its class, in a dtype and on a device."""
    value = getattr(file, name)
    torch.manual_seed(check.seed)
    with _answering(f"{name} in {path} cannot be built"):
        if torch.device(check.device).type == "meta":
            raise ValueError("nothing is computed on the device meta")
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


def _claims(path: Path, name: str, module: nn.Module, check: Check) -> tuple[Group, Any, Any]:
    """The group and the orders that a module claims, from what was asked or else from itself.

    Orders are lists or dicts where there are several inputs or outputs.
    """
    with _answering(f"{name} in {path} does not name its group and orders"):
        group = check.group if check.group is not None else getattr(module, "group", None)
        k = check.k if check.k is not None else getattr(module, "in_order", None)
        l = check.l if check.l is not None else getattr(module, "out_order", None)
    if group is None or k is None or l is None:
        raise ValueError(
            f"{name} in {path} does not name its group and orders: say --group, --in and --out"
        )
    return group_of(module, group), k, l


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
