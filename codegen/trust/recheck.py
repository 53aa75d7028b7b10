"""Doing again what a certificate says: with its module, or with layers made from what it says."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from torch import nn

from tannaka.category.groups import Group
from tannaka.category.groups import group as find_group
from tannaka.codegen.modules.bilinear import EquivariantBilinear
from tannaka.codegen.modules.linear import EquivariantLinear
from tannaka.codegen.trust.certificate import Certificate, LayerProof, differences
from tannaka.codegen.trust.certify import (
    AGREEMENT,
    certify,
    dtype_called,
    group_from,
    group_said,
    linear_layers,
    plan_of,
    weights_digest,
)
from tannaka.diagrams.errors import CertificateError


def check_again(certificate: Certificate, module: nn.Module) -> Certificate:
    """Certify a module as a certificate was made, and compare; see :meth:`Certificate.check`."""
    if type(module).__name__ != certificate.module:
        raise CertificateError(
            f"the certificate is of a {certificate.module}, not of a {type(module).__name__}"
        )
    mine = {name: plan_of(layer).signature() for name, layer in linear_layers(module)}
    theirs = {one.name: one.signature for one in certificate.layers}
    if mine != theirs:
        place = next(name for name in [*theirs, *mine] if mine.get(name) != theirs.get(name))
        raise CertificateError(
            f"the certificate is of another layer: {place or 'it'} is for the basis "
            f"{theirs.get(place)!r}, here it is {mine.get(place)!r}"
        )
    if certificate.weights is not None and certificate.weights != weights_digest(module):
        raise CertificateError(
            f"the certificate is of other weights, with digest {certificate.weights[:16]}; these "
            f"have {weights_digest(module)[:16]}"
        )
    with _reading("says how to check what cannot be checked so"):
        group = None if certificate.whole else certificate.group
        if group is not None:
            # A network's group may be one that no name tells; then one of its layers has it.
            known = {
                str(group_said(layer)): group_said(layer) for _, layer in linear_layers(module)
            }
            group = known.get(group) or find_group(group)  # type: ignore[assignment]
        fresh = certify(
            module,
            group,
            None if certificate.whole else certificate.k,
            None if certificate.whole else certificate.l,
            dtypes=certificate.dtypes,
            **_given(certificate.options),
        )
    _compare(certificate, fresh)
    return fresh


def rebuilt(certificate: Certificate) -> tuple[Certificate, tuple[str, ...]]:
    """Do again what needs no module: prove, and check new layers with random weights.

    Returns what that gives, of the one layer or of each linear layer of a network, and in words what
    was left out. Raises as :meth:`Certificate.check`.
    """
    if not certificate.layers or certificate.whole != (certificate.layers[0].name == ""):
        raise CertificateError(
            f"the certificate says what does not hold: its whole, with {len(certificate.layers)} linear "
            "layers"
        )
    redone = []
    for one in certificate.layers:
        with _reading(f"describes no layer at {one.name or 'its only place'}"):
            group = group_from(one.group)
            layer = _layer(one, group, dtype_called(certificate.dtypes[0]))
        if layer.plan.signature() != one.signature:
            raise CertificateError(
                f"the certificate says of {one.name or 'the layer'} what does not hold: it is for the "
                f"basis {one.signature!r}, which tannaka {version('tannaka')} does not give"
            )
        options = _given(certificate.options) if certificate.whole else {}
        with _reading("says how to check what cannot be checked so"):
            redone.append(certify(layer, dtypes=certificate.dtypes, **options))
    proofs = tuple(
        replace(fresh.layers[0], name=one.name)
        for fresh, one in zip(redone, certificate.layers, strict=True)
    )
    left = ["the weights" if certificate.weights else "", "the file" if certificate.source else ""]
    if not certificate.whole:
        left.insert(0, "the module as a whole")
        _compare_layers(certificate, proofs)
        return replace(redone[0], layers=proofs, whole=False), tuple(filter(None, left))
    _compare(certificate, replace(redone[0], layers=proofs))
    return redone[0], tuple(filter(None, left))


@contextmanager
def _reading(wrong: str) -> Iterator[None]:
    """Turn what is refused when something is done as a certificate says into words about it."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*no linear map but 0")
            yield
    except CertificateError:
        raise
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise CertificateError(f"the certificate {wrong}: {error}") from error


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a certificate as ``certify`` takes them."""
    return {
        name: tuple(value)
        if isinstance(value, list) and name in ("n", "batch_shape", "layout")
        else value
        for name, value in options.items()
    }


def _layer(one: LayerProof, group: Group, dtype: Any) -> EquivariantLinear | EquivariantBilinear:
    """A new layer of the kind that a proof is of."""
    known: Any = {"bias": one.bias, "reduce": one.reduce, "dtype": dtype}
    if not isinstance(one.k, list):
        basis: Any = "orbit" if one.basis == "orbits" else "auto"
        channels = one.in_channels, one.out_channels
        return EquivariantLinear(group, one.k, one.l, *channels, basis=basis, **known)
    # How channels meet changes nothing of what is proven.
    (k1, k2), (c1, c2) = one.k, one.in_channels
    return EquivariantBilinear(group, k1, k2, one.l, c1, c2, one.out_channels, **known)


def _compare(said: Certificate, fresh: Certificate) -> None:
    """Raise CertificateError unless all that is said was found again."""
    _compare_layers(said, fresh.layers)
    _compare_samples(said, fresh)


def _compare_layers(said: Certificate, layers: Sequence[LayerProof]) -> None:
    for one, other in zip(said.layers, layers, strict=True):
        wrong = [name for name in differences(one, other) if name != "agreement"]
        agreed = one.agreement is None or (
            other.agreement is not None and 0 <= one.agreement <= AGREEMENT
        )
        if wrong or not agreed:
            raise CertificateError(
                f"the certificate says of {one.name or 'the layer'} what does not hold: its "
                f"{', '.join(wrong) or 'agreement'}"
            )


def _compare_samples(said: Certificate, fresh: Certificate) -> None:
    if said.dtypes != fresh.dtypes:
        raise CertificateError(
            f"the certificate is for {', '.join(said.dtypes)}, the module for {', '.join(fresh.dtypes)}"
        )
    for what, again in zip(said.sampled, fresh.sampled, strict=True):
        # A number that no check gives; what is measured is not the same on every machine.
        possible = what.error >= 0 and (what.control is None or what.control > what.tolerance)
        same = possible and all(
            getattr(what, name) == getattr(again, name)
            for name in ("tolerance", "elements", "sizes", "masked")
        )
        told = (what.control is None) == (again.control is None)
        if not (same and told and what.error <= what.tolerance):
            raise CertificateError(
                f"the certificate says of {what.dtype} what does not hold: error {what.error:.1e}, "
                f"tolerance {what.tolerance:.0e}, {what.elements} elements, control {what.control}; "
                f"here error {again.error:.1e}, tolerance {again.tolerance:.0e}, {again.elements} "
                f"elements, control {again.control}"
            )
    wrong = [
        name for name in ("group", "k", "l", "whole") if getattr(said, name) != getattr(fresh, name)
    ]
    if wrong:
        raise CertificateError(f"the certificate says what does not hold: its {', '.join(wrong)}")
