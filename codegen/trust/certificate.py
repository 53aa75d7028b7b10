"""What a certificate of a layer says, as data, as JSON, and as text for a reader; needs no torch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tannaka.category.commutation import Proof
from tannaka.codegen.files import write_whole
from tannaka.codegen.trust.trees import mapped
from tannaka.diagrams.errors import CertificateError

if TYPE_CHECKING:
    from torch import nn

FORMAT = "tannaka certificate 1"


@dataclass(frozen=True)
class LayerProof:
    """What is known of one linear layer, for all values of its weights."""

    name: str
    """Where it is in the module; empty for the module itself."""
    group: Mapping[str, Any]
    """The group as data: its name, and the generators or the graph of one that no name tells."""
    k: Any
    l: Any
    in_channels: Any
    """Of a bilinear layer a list, and so is ``k``."""
    out_channels: int
    bias: bool
    reduce: str
    basis: str
    """Whether rows belong to diagrams or to orbits."""
    signature: str
    """The basis that weights are for, as state dicts carry it."""
    diagrams: tuple[str, ...]
    """Row i of the weight multiplies the i-th."""
    bias_diagrams: tuple[str, ...]
    proofs: tuple[Proof, ...]
    """That these diagrams commute with the group, exactly; for a product one for each factor."""
    agreement: float | None
    """How far the layer, in float64, is from the sum of these diagrams' matrices times its weights,
    relative to the largest entry; None where the matrices are too large to apply."""


@dataclass(frozen=True)
class Sampled:
    """What the sampled check of the whole module found, in one dtype."""

    dtype: str
    error: float
    tolerance: float
    control: float | None
    elements: int
    """How many group elements were tried, each with an input."""
    sizes: tuple[int, ...]
    """Of a family such as S(), the n that were tried."""
    masked: bool
    """Whether inputs were padded too."""


@dataclass(frozen=True)
class Certificate:
    """Why a layer or network is equivariant: what was proven, what was sampled, and of what.

    * proven, exactly: every diagram of each linear layer commutes with the group (``layers``). With
      the agreement of the layer and its diagrams that holds for every value of its weights.
    * sampled: the module as a whole, activations included, for random group elements and inputs.

    :func:`tannaka.testing.certify` makes one, :meth:`check` does all of it again.
    """

    module: str
    """The name of the class."""
    group: str
    k: Any
    l: Any
    layers: tuple[LayerProof, ...]
    whole: bool
    """Whether the module is one linear layer, so that its proof is of all of it."""
    sampled: tuple[Sampled, ...]
    options: Mapping[str, Any]
    """How the sampled check was done: seed, samples, n of a family, and so on."""
    weights: str | None
    """SHA-256 of the state dict; None where the certificate is not for some weights."""
    source: str | None
    """SHA-256 of the file that has the module; None where it did not come from one."""
    versions: Mapping[str, str]

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes that the module was checked in."""
        return tuple(one.dtype for one in self.sampled)

    @property
    def holds_for(self) -> str:
        """The n that the proofs are for, as text; by group where they differ."""
        proofs = [proof for one in self.layers for proof in one.proofs]
        if len({proof.holds_for for proof in proofs}) == 1:
            return proofs[0].holds_for
        return "; ".join(dict.fromkeys(f"{proof.group}: {proof.holds_for}" for proof in proofs))

    def check(self, module: nn.Module) -> Certificate:
        """Do all of it again for a module, and return what that gives.

        Raises CertificateError where the certificate is of another layer, of other weights, or says
        what does not hold; EquivarianceError where the module is not equivariant.
        """
        from tannaka.codegen.trust.recheck import check_again

        return check_again(self, module)

    def data(self) -> dict[str, Any]:
        """All of it as JSON has it; words of types become text such as "0,1"."""
        data = asdict(self)
        for part in (data, *data["layers"]):
            for name in ("k", "l"):
                part[name] = mapped(lambda path, order: _written(order), part[name])
        listed: dict[str, Any] = json.loads(json.dumps(data))
        return listed

    def to_json(self) -> str:
        """One JSON document that ends in a digest of all the rest."""
        data = {"format": FORMAT, **self.data()}
        return json.dumps(data | {"digest": _digest(data)}, ensure_ascii=False, indent=1) + "\n"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to a file, whole or not at all, and return the path."""
        return write_whole(path, self.to_json())

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a certificate.

        Raises CertificateError for text that is not a whole one, and one that was changed since.
        The digest finds damage, not forgery: what a certificate says is worth what :meth:`check` finds.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CertificateError(f"the certificate is not whole: {error}") from None
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            found = data.get("format") if isinstance(data, dict) else type(data).__name__
            raise CertificateError(f"not a certificate: its format is {found!r}, not {FORMAT!r}")
        digest = data.pop("digest", None)
        if digest != _digest(data):
            raise CertificateError(
                "the certificate was changed after it was written: its digest does not fit"
            )
        try:
            return cls._read({name: value for name, value in data.items() if name != "format"})
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise CertificateError(f"the certificate is not whole: {error}") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file; raises CertificateError as :meth:`from_json`, OSError for no file."""
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise CertificateError(f"{path} is not a certificate: {error}") from None

    @classmethod
    def _read(cls, data: dict[str, Any]) -> Self:
        orders = {name: mapped(lambda path, text: _order(text), data[name]) for name in ("k", "l")}
        layers = tuple(map(_layer, data["layers"]))
        sampled = tuple(
            Sampled(**(one | {"sizes": tuple(one["sizes"])})) for one in data["sampled"]
        )
        return cls(**(data | orders | {"layers": layers, "sampled": sampled}))

    def __str__(self) -> str:
        head = f"{self.module}: {self.group}, {self.k} -> {self.l}"
        lines = [head, "", "proven, exactly, for every value of the weights:"]
        proofs = [proof for one in self.layers for proof in one.proofs]
        reasons = list(dict.fromkeys(reason for proof in proofs for reason in proof.rests_on))
        for one in self.layers:
            lines += [f"  {line}" for line in _layer_lines(one, reasons)]
        if not self.whole:
            lines.append(
                "  of the rest of the module, activations and sums, nothing: it is sampled"
            )
        lines += [f"  [{i}] {reason}" for i, reason in enumerate(reasons, 1)]
        lines += ["", "sampled, of the whole module:"]
        for found in self.sampled:
            where = f" at n = {', '.join(map(str, found.sizes))}" if found.sizes else ""
            where += ", with padding" if found.masked else ""
            control = "no control" if found.control is None else f"control {found.control:.0e}"
            lines.append(
                f"  {found.dtype}: error {found.error:.1e} <= {found.tolerance:.0e}, "
                f"{found.elements} group elements{where}, {control}"
            )
        known = [(name, value) for name, value in self.options.items() if value is not None]
        lines += [
            f"  {', '.join(f'{name} {value}' for name, value in known)}",
            "",
            f"weights: {self.weights or 'any'}",
            f"source:  {self.source or 'not from a file'}",
            f"made by: {', '.join(f'{name} {v}' for name, v in self.versions.items())}",
        ]
        return "\n".join(lines)


def _layer_lines(one: LayerProof, reasons: list[str]) -> list[str]:
    where = one.name or "the layer"
    bias = f" and {len(one.bias_diagrams)} of the bias" if one.bias_diagrams else ""
    what = f"{one.group['name']}, {one.k} -> {one.l}"
    channels = f"channels {one.in_channels} -> {one.out_channels}"
    rows = len(one.diagrams)
    lines = [f"{where}: {what}, {channels}: {rows} {one.basis[: -1 if rows == 1 else None]}{bias}"]
    for proof in one.proofs:
        how = {
            "matrices": "their matrices commute with",
            "parts": "the matrices of their parts commute with",
        }
        some = ", ".join(proof.elements[:3]) or "nothing, as the group is trivial"
        more = f" and {len(proof.elements) - 3} more" if len(proof.elements) > 3 else ""
        lines.append(f"  {proof.group}, {proof.holds_for}: {how[proof.method]} {some}{more}")
        since = " ".join(f"[{reasons.index(reason) + 1}]" for reason in proof.rests_on)
        lines.append(f"    {proof.entries:,} entries compared; that is enough by {since}")
    if one.agreement is None:
        lines.append("  that the layer is the sum of these was not tried: matrices too large")
    else:
        lines.append(f"  the layer is the sum of these, to {one.agreement:.1e} (sampled, float64)")
    return lines


def _layer(data: dict[str, Any]) -> LayerProof:
    changed = {
        "k": _order(data["k"]),
        "l": _order(data["l"]),
        "diagrams": tuple(data["diagrams"]),
        "bias_diagrams": tuple(data["bias_diagrams"]),
        "proofs": tuple(
            Proof(**(one | {name: tuple(one[name]) for name in ("elements", "rests_on")}))
            for one in data["proofs"]
        ),
    }
    return LayerProof(**(data | changed))


def _written(order: Any) -> Any:
    """An order as JSON has it; a word as text, since lists are several orders."""
    if not isinstance(order, tuple):
        return order
    return ",".join(map(str, order)) + "," * (len(order) < 2)


def _order(text: Any) -> Any:
    """The order that :func:`_written` wrote."""
    if isinstance(text, list):
        return [_order(one) for one in text]
    if not isinstance(text, str):
        return text
    return tuple(int(word) for word in text.split(",") if word)


def _digest(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def differences(one: Any, other: Any) -> list[str]:
    """The names of the fields in which two of a kind differ."""
    return [f.name for f in fields(one) if getattr(one, f.name) != getattr(other, f.name)]
