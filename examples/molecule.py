"""From the orthogonal group to a layer for a real molecule, 2-propanol.

In its gauche form 2-propanol is chiral: no rotation carries it to its mirror image, so reflecting
it is a test of its own. Its feature is the moment of inertia about each of its atoms, a tensor of
order 2 over space; turning or reflecting the molecule multiplies both its axes by the same
orthogonal matrix, so a layer for it has to commute with O(3).

Geometry: molecule C2H6CHOH of the G2/97 test set, optimised at MP2(full)/6-31G(d); L. A. Curtiss,
K. Raghavachari, P. C. Redfern, J. A. Pople, Journal of Chemical Physics 106 (1997) 1063; numbers
as the ASE library ships them. Masses: standard atomic weights, abridged (IUPAC 2021).

Usage: python examples/molecule.py [folder]
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from trial import (
    check_equivariance,
    exchange_weights,
    heading,
    load_layer,
    print_kernel,
    relative_error,
    require,
    run,
    run_self_check,
    write_pictures,
)

import tannaka as tn

SEED = 1997

MASS = {"H": 1.008, "C": 12.011, "O": 15.999}
"""In daltons (u)."""

ATOMS = (
    ("O", 0.027191, 1.363691, -0.167516),
    ("C", -0.000926, 0.036459, 0.370128),
    ("H", 0.859465, 1.775647, 0.121307),
    ("H", 0.007371, 0.082145, 1.470506),
    ("C", -1.313275, -0.563514, -0.088979),
    ("C", 1.200721, -0.764480, -0.104920),
    ("H", -1.334005, -0.607253, -1.181009),
    ("H", 1.202843, -0.807817, -1.197189),
    ("H", -2.147812, 0.054993, 0.247676),
    ("H", 2.136462, -0.299324, 0.223164),
    ("H", -1.438709, -1.574275, 0.308340),
    ("H", 1.177736, -1.784436, 0.289967),
)
"""Element, then x, y, z in angstroms (1e-10 m)."""


def main(folder: Path) -> list[Path]:
    """Molecule: the diagrams of O(3), the layer 2 -> 2 as a file, and the molecule moved."""
    masses = torch.tensor([MASS[element] for element, *_ in ATOMS], dtype=torch.float64)
    positions = torch.tensor([place for _, *place in ATOMS], dtype=torch.float64)
    feature = inertia(masses, positions)

    tensors = tn.Hom(tn.O(3), 2, 2)
    heading(f"2-propanol: {len(ATOMS)} atoms, the moment of inertia about each, symmetry O(3)")
    print(f"{tensors}. From 3 x 3 tensors to 3 x 3 tensors; outputs on top:\n")
    print(tensors.text(width=100))

    heading("The layer 2 -> 2, generated, saved, and loaded from its file")
    code = tn.generate(tn.O(3), 2, 2, in_channels=1, out_channels=4)
    path = code.save(folder / "o3_2_to_2.py")
    generated = load_layer(path, code.name)(dtype=torch.float64)
    print_kernel(path)

    heading("The file checks itself; it imports torch, and nothing of tannaka")
    run_self_check(path)

    heading("Its weights are tannaka's: state dicts move both ways")
    torch.manual_seed(SEED)
    ours = tn.nn.EquivariantLinear(tn.O(3), 2, 2, 1, 4, dtype=torch.float64)
    exchange_weights(ours, generated, feature)

    heading(f"Move the molecule itself (seed {SEED}): the output turns with it")
    # Channel 0 gets a meaning: half the trace, on the diagonal, less the tensor itself.
    generated.weight[:, 0, 0] = torch.tensor([3 / 2, -1, 0])
    generated.bias[:, 0] = 0
    output = generated(feature)
    rotation, shift = random_rotation(), torch.tensor([3.0, -1.0, 2.0], dtype=torch.float64)
    mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64))
    for what, g in (("rotated", rotation), ("reflected", mirror), ("both", mirror @ rotation)):
        moved = generated(inertia(masses, positions @ g.T + shift))
        require(
            f"{what} (det {torch.linalg.det(g):+.0f}) and shifted by 3.7 Å",
            relative_error(moved, turned(output, g)),
            control=relative_error(moved, output),
            without="output not turned",
        )
        if what == "rotated":
            turned_oxygen = moved[0, :, :, 0]
    require(
        "channel 0 is the second moment, Σ m r rᵀ",
        relative_error(output[..., :1], second_moment(masses, positions)),
        control=relative_error(feature, second_moment(masses, positions)),
        without="of the input",
    )
    print("\nChannel 0 at the oxygen, in u Å²:\n")
    print(
        "before                            after rotating the atoms          before, both axes rotated"
    )
    wanted = turned(output, rotation)[0, :, :, 0]
    for rows in zip(output[0, :, :, 0], turned_oxygen, wanted, strict=True):
        print(
            "     ".join("".join(f"{entry:9.4f}" for entry in row) + " " for row in rows).rstrip()
        )

    heading("Any tensor, any orthogonal matrix: assert_equivariant")
    # Moments of inertia are symmetric, so diagrams 1 and 2 act alike; the inputs drawn here are not.
    check_equivariance(generated)
    return [path, *write_pictures(folder, tensors)]


def inertia(masses: Tensor, positions: Tensor) -> Tensor:
    """The moment of inertia about each atom, sum over b of m_b (|r_b|^2 1 - r_b r_b^T).

    Masses in u, positions of shape (atoms, 3) in Å, r_b from the atom to b; the result in u Å^2, of
    shape (atoms, 3, 3, 1), is a batch of tensors of order 2.
    """
    second = second_moment(masses, positions)
    trace = second.diagonal(dim1=1, dim2=2).sum(-1)[:, None, None]
    return trace * torch.eye(3, dtype=torch.float64)[..., None] - second


def second_moment(masses: Tensor, positions: Tensor) -> Tensor:
    """The second moment about each atom, sum over b of m_b r_b r_b^T; units and shape as above."""
    r = positions[None, :, :] - positions[:, None, :]
    return torch.einsum("b,abi,abj->aij", masses, r, r)[..., None]


def turned(x: Tensor, g: Tensor) -> Tensor:
    """Multiply both axes of the tensors x, of shape (atoms, 3, 3, channels), by g."""
    return torch.einsum("ip,jq,apqc->aijc", g, g, x)


def random_rotation() -> Tensor:
    """A rotation by an orthogonal matrix of the Haar measure, with its sign taken out."""
    g = torch.from_numpy(tn.O(3).sample(SEED))
    rotation: Tensor = g * torch.linalg.det(g)
    return rotation


if __name__ == "__main__":
    run(main)
