"""Making certificates: what can be proven of each linear layer, and what is sampled of the whole."""

from __future__ import annotations

import copy
import hashlib
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tannaka.category.automorphisms import Aut
from tannaka.category.commutation import prove
from tannaka.category.groups import Group
from tannaka.category.groups import group as find_group
from tannaka.category.hom import Hom
from tannaka.category.hosts import Host
from tannaka.category.permutations import PermutationGroup
from tannaka.category.product import Product
from tannaka.codegen.lowering.choose import AnyPlan, plan_layer
from tannaka.codegen.trust.certificate import Certificate, LayerProof, Sampled
from tannaka.codegen.trust.check import ROUNDING, EquivarianceReport, group_of, measure
from tannaka.codegen.trust.padding import member_at, open_factors
from tannaka.codegen.trust.sampled import DEFAULT_SIZES
from tannaka.diagrams.errors import CertificateError, EquivarianceError

DTYPES = ("float64", "float32", "bfloat16")
MAX_APPLIED = 20_000_000
"""Most entries of diagrams' matrices that are applied to compare a layer with them."""
AGREEMENT = 100 * ROUNDING[torch.float64]
"""How far a layer in float64 may be from the sum of its diagrams."""


def certify(
    module: nn.Module,
    group: Group | str | None = None,
    k: Any = None,
    l: Any = None,
    *,
    dtypes: Sequence[str] = DTYPES,
    **options: Any,
) -> Certificate:
    """Prove and check that a layer or network is equivariant, and write down how.

    A tannaka layer, or a generated one, says its group and orders; of a network, name them. Three
    things are done, and the certificate keeps them apart:

    1. Each diagram of each linear layer is shown to commute with the group exactly: its matrix, in
       integers, with generators of the group, or of its Lie algebra. For the family S() that is for
       every n, by an argument that the certificate names.
    2. Each linear layer is compared with the sum of its diagrams' matrices times its weights, in
       float64.
    3. The whole module is checked by :func:`~tannaka.testing.assert_equivariant` in each of the
       dtypes and in its own, with its ``options``.

    For one linear layer 1 and 2 say that it is equivariant whatever its weights are; of a network they
    say that of its linear layers, and only 3 is of the whole.

    Raises TypeError for what is no module, ValueError for one without any linear layer of tannaka
    (nothing could be proven: ``assert_equivariant`` samples), EquivarianceError where a step fails.

    >>> from tannaka.category import S
    >>> from tannaka.codegen.modules.linear import EquivariantLinear
    >>> certificate = certify(EquivariantLinear(S(4), 2, 1, 3, 5))
    >>> certificate.holds_for, certificate.dtypes
    ('n = 4', ('float32', 'float64', 'bfloat16'))
    >>> certificate.from_json(certificate.to_json()) == certificate
    True
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"a certificate is of a torch.nn.Module, got {type(module).__name__}")
    found = tuple(linear_layers(module))
    if not found:
        raise ValueError(
            f"{type(module).__name__} has no linear layer of tannaka, so that nothing could be proven; "
            "assert_equivariant samples any function"
        )
    group = group_of(module, group) if group is not None else None
    seed = options.setdefault("seed", 0)
    options.setdefault("samples", 8)
    own = next(iter(module.parameters())).dtype
    # The module itself in its own dtype: a copy is built anew, and may lack what was done to it.
    torch_dtypes = dict.fromkeys([own, *map(dtype_called, dtypes)])
    layers = tuple(_proven(name, layer, seed, options.get("n")) for name, layer in found)
    reports = []
    for dtype in torch_dtypes:
        twin = module if dtype == own else copy.deepcopy(module).to(dtype)
        report = measure(twin, group, k, l, dtype=dtype, **_allowing(module, options))
        if not report.passed:
            raise EquivarianceError(f"not equivariant: {report}; {report.worst()}")
        reports.append(report)
    return Certificate(
        module=type(module).__name__,
        group=str(reports[0].group),
        k=reports[0].k,
        l=reports[0].l,
        layers=layers,
        whole=found[0][0] == "",
        sampled=tuple(map(_sampled, reports)),
        options=_plain(options),
        weights=weights_digest(module),
        source=None,
        versions={
            "tannaka": version("tannaka"),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    )


def weights_digest(module: nn.Module) -> str:
    """SHA-256 of all entries of a state dict, with their names, shapes and dtypes."""
    total = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        total.update(f"{name} ".encode())
        if isinstance(value, torch.Tensor):
            total.update(f"{value.dtype} {tuple(value.shape)} ".encode())
            flat = value.detach().cpu().contiguous().reshape(-1)
            total.update(flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b"")
        else:
            total.update(repr(value).encode())
    return total.hexdigest()


def linear_layers(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The linear layers of tannaka in a module, ours and generated ones, by their names."""
    for name, one in module.named_modules():
        told = all(
            hasattr(one, attribute)
            for attribute in ("group", "in_order", "out_order", "in_channels", "out_channels")
        )
        if told and isinstance(getattr(one, "weight", None), nn.Parameter) and _said(one):
            yield name, one


def _said(layer: nn.Module) -> str:
    """The basis that the rows of a layer's weight belong to, as it says; empty where it does not."""
    try:
        state: Any = layer.get_extra_state()
        text = bytes(state.tolist()).decode()
    except (RuntimeError, AttributeError, TypeError, ValueError):
        return ""
    return text if text.startswith("tannaka 1: ") else ""


def group_said(layer: Any) -> Group:
    """The group that a layer says it commutes with."""
    return group_of(layer, layer.group)


def plan_of(layer: Any) -> AnyPlan:
    """The plan of a layer; made from what a generated one says, which must be what it computes with."""
    said = _said(layer)
    known: AnyPlan | None = getattr(layer, "plan", None)
    if known is not None:
        return known
    hom = Hom(group_said(layer), layer.in_order, layer.out_order)
    reduce: Any = (re.findall(r"reduce=(mean|sum)", said) or ["mean"])[0]
    channels = layer.in_channels, layer.out_channels
    bases: tuple[Any, ...] = ("orbit",) if isinstance(hom.group, PermutationGroup) else ("diagram",)
    for basis in bases:
        for bias in (True, False):
            plan = plan_layer(hom, *channels, bias=bias, reduce=reduce, basis=basis)
            if plan.signature() == said:
                return plan
    raise CertificateError(
        f"{type(layer).__name__} says that its weights are for the basis {said!r}, which is none of "
        f"{hom}"
    )


def _proven(name: str, layer: Any, seed: int, n: Any) -> LayerProof:
    """What can be proven of one linear layer."""
    plan, group = plan_of(layer), group_said(layer)
    bias = plan.bias_basis or ()
    return LayerProof(
        name=name,
        group=group_data(group),
        k=layer.in_order,
        l=layer.out_order,
        in_channels=layer.in_channels,
        out_channels=layer.out_channels,
        bias=plan.bias_basis is not None,
        reduce=plan.reduce,
        basis=plan.kind,
        signature=plan.signature(),
        diagrams=tuple(map(str, plan.basis)),
        bias_diagrams=tuple(map(str, bias)),
        proofs=prove(group, (*plan.basis, *bias)),
        agreement=_agreement(layer, plan, group, seed, n),
    )


def _agreement(layer: Any, plan: AnyPlan, group: Group, seed: int, n: Any) -> float | None:
    """The relative error of a layer against its diagrams' matrices; None where they are too large."""
    worst = 0.0
    given = DEFAULT_SIZES if n is None else n if isinstance(n, Sequence) else (n,)
    for size in given if open_factors(group) else (None,):
        member = group if size is None else member_at(group, size)
        found = _agreement_at(layer, plan, member, seed, size)
        if found is None:
            return None
        worst = max(worst, found)
    if worst > AGREEMENT:
        raise EquivarianceError(
            f"{type(layer).__name__} is not the sum of its diagrams times its weights: the relative "
            f"error is {worst:.1e}, more than {AGREEMENT:.0e}"
        )
    return worst


def _agreement_at(
    layer: Any, plan: AnyPlan, member: Group, seed: int, size: int | None
) -> float | None:
    inputs, outputs = member.shape(plan.dom), member.shape(plan.cod)
    rows, columns = prod(outputs), prod(inputs)
    orders, channels = layer.in_order, layer.in_channels
    # A bilinear layer is a linear one of the product of its inputs, whose channels are pairs.
    if not isinstance(orders, list):
        orders, channels = [orders], [channels]
    if rows * columns * (len(plan.basis) + 1) * prod(channels) > MAX_APPLIED:
        return None
    twin = copy.deepcopy(layer).to(torch.float64)
    generator = torch.Generator().manual_seed(seed)
    for parameter in twin.parameters():
        nn.init.normal_(parameter, generator=generator)
    device = twin.weight.device
    given = [
        torch.randn(2, *member.shape(order), count, generator=generator, dtype=torch.float64)
        for order, count in zip(orders, channels, strict=True)
    ]
    sent = [x.to(device) for x in given]
    axes = bool(inputs) or not outputs
    got = twin(*sent) if size is None or axes else twin(*sent, n=size)
    weight = twin.weight.detach().cpu().numpy()
    first, *second = (x.numpy().reshape(2, -1, x.shape[-1]) for x in given)
    pairs = "bpqcd" if weight.ndim == 4 else "bpqc"
    for other in second:
        first = np.einsum(f"bpc,bq{pairs[-1]}->{pairs}", first, other)
    flat = first.reshape(2, columns, -1)
    weight = weight.reshape(*weight.shape[:2], -1)
    wanted = np.zeros((2, rows, layer.out_channels))
    for row, diagram in zip(weight, plan.basis, strict=True):
        at, of, values = member.nonzeros(diagram)
        # A mean divides by how many terms an output sums at most.
        terms = np.bincount(at, np.abs(values.astype(np.float64)), minlength=1).max()
        scale = 1 / terms if plan.reduce == "mean" and terms else 1.0
        moved = np.zeros((2, rows, flat.shape[-1]))
        scaled: NDArray[Any] = values.astype(np.float64) * scale
        for into, one in zip(moved, flat, strict=True):
            np.add.at(into, at, one[of] * scaled[:, None])
        wanted += moved @ row.T
    if plan.bias_basis:
        for row, diagram in zip(twin.bias.detach().cpu().numpy(), plan.bias_basis, strict=True):
            at, _, values = member.nonzeros(diagram)
            wanted[:, at] += values.astype(np.float64)[:, None] * row
    apart = np.abs(got.detach().cpu().numpy().reshape(wanted.shape) - wanted).max(initial=0)
    return float(apart / (np.abs(wanted).max(initial=0) or 1.0))


def _allowing(module: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the sampled check: a layer of a space without maps may be zero."""
    if "allow_zero" in options or not _said(module):
        return dict(options)
    honest = not plan_of(module).basis
    return dict(options) | {"allow_zero": honest}


def _sampled(report: EquivarianceReport) -> Sampled:
    return Sampled(
        dtype=str(report.dtype).removeprefix("torch."),
        error=report.error,
        tolerance=report.tolerance,
        control=report.control,
        elements=report.samples * max(1, len(report.sizes)),
        sizes=report.sizes,
        masked=report.masked,
    )


def dtype_called(name: str) -> torch.dtype:
    """The dtype of a name; raises ValueError for a name of none."""
    found = getattr(torch, name, None) if isinstance(name, str) else name
    if not isinstance(found, torch.dtype):
        raise ValueError(f"a dtype is a name such as 'float32', got {name!r}")
    return found


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as JSON has them; raises ValueError for one that it has no way to write."""
    found = {}
    for name, value in options.items():
        listed = list(value) if isinstance(value, tuple) else value
        if not isinstance(listed, int | float | str | list | dict | None):
            raise ValueError(f"a certificate cannot hold the option {name}={value!r}")
        found[name] = listed
    return found


def group_data(group: Group) -> dict[str, Any]:
    """A group as data: its name, and where that does not say all, its generators or its graph."""
    data: dict[str, Any] = {"name": str(group)}
    if isinstance(group, Product):
        data["factors"] = [group_data(factor) for factor in group.factors]
    elif isinstance(group, Aut):
        host = group.host
        data["graph"] = {
            "n": host.n,
            "edges": [list(edge) for edge in host.edges],
            "colours": list(host.colours),
            "directed": host.directed,
        }
    elif isinstance(group, PermutationGroup):
        data |= {"generators": [list(one) for one in group.permutations], "n": group.n}
    return data


def group_from(data: Mapping[str, Any]) -> Group:
    """The group that :func:`group_data` wrote.

    >>> from tannaka.category import S
    >>> group_from(group_data(S(3)))
    S(3)
    """
    if "factors" in data:
        return Product(tuple(group_from(one) for one in data["factors"]))  # type: ignore[misc]
    if "graph" in data:
        graph = data["graph"]
        edges = tuple((a, b, colour) for a, b, colour in graph["edges"])
        return Aut(Host(graph["n"], edges, tuple(graph["colours"]), graph["directed"]))
    if "generators" in data:
        return PermutationGroup([tuple(one) for one in data["generators"]], data["n"])
    return find_group(data["name"])
