"""How a field polarises a molecule of water, learned from its shape: where linear layers give nothing.

A field induces dipoles on the atoms of a molecule, and these act on each other: the polarisability of
the molecule, a symmetric 3 x 3 tensor, follows from where the atoms are by a linear system of nine
equations (Applequist, Carl and Fung, J. Am. Chem. Soc. 94, 2952, 1972). When the molecule turns, or is
reflected, the tensor turns with it.

So a network for it takes vectors, from the oxygen to both hydrogens, and gives a tensor of order 2.
Every linear map of O(3) from vectors to scalars, or to tensors of order 2, is 0: linear layers and
gates alone can say no more than a multiple of the identity. Bilinear layers, ``EquivariantBilinear``,
make scalars and tensors of pairs of vectors, and a gate multiplies a tensor by a function of scalars.

All molecules of the training lie in one plane, with the first bond along one axis; those of the test
are turned at random, and half of them reflected. A perceptron that sees coordinates has to learn what
turning means, from molecules that are turned anew in every step.

Usage: python examples/train_water.py
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import click
import torch
from torch import Tensor, nn
from trial import heading

import tannaka as tn

SEED = 1972
OXYGEN, HYDROGEN = 0.465, 0.135
"""Polarisabilities of atoms, in cubic angstroms."""


def shapes(count: int) -> Tensor:
    """Vectors from the oxygen to both hydrogens, in angstroms, of shape (count, 3, 2).

    With shorter bonds the dipoles of the model come near to sustaining each other, without a field.
    """
    lengths = 0.95 + 0.25 * torch.rand(count, 2, dtype=torch.float64)
    angle = (90 + 35 * torch.rand(count, dtype=torch.float64)) * math.pi / 180
    zero = torch.zeros_like(angle)
    first = torch.stack([torch.ones_like(angle), zero, zero], dim=1)
    second = torch.stack([angle.cos(), angle.sin(), zero], dim=1)
    return torch.stack([first, second], dim=2) * lengths[:, None, :]


def polarisability(bonds: Tensor) -> Tensor:
    """The polarisability of a molecule, in cubic angstroms: (*batch, 3, 2) to (*batch, 3, 3).

    Atom i has a dipole a_i (E + sum over j of T_ij dipole_j), with T = (3 r r^T / r^2 - 1) / r^3.
    """
    atoms = torch.cat([torch.zeros_like(bonds[..., :1]), bonds], dim=-1).mT
    apart = atoms[..., :, None, :] - atoms[..., None, :, :]
    r = apart.norm(dim=-1) + torch.eye(3, dtype=bonds.dtype)
    one = torch.eye(3, dtype=bonds.dtype)
    outer = apart[..., :, None] * apart[..., None, :]
    field = (3 * outer / r[..., None, None] ** 2 - one) / r[..., None, None] ** 3
    own = one / torch.tensor([OXYGEN, HYDROGEN, HYDROGEN], dtype=bonds.dtype)[:, None, None]
    alone = torch.eye(3, dtype=bonds.dtype)[:, :, None, None]
    blocks = (alone * own[:, None] - (1 - alone) * field).transpose(-3, -2)
    system = blocks.flatten(-2).flatten(-3, -2)
    inverse = torch.linalg.inv(system).unflatten(-1, (3, 3)).unflatten(-3, (3, 3))
    # (atom, axis, atom, axis): all atoms feel one field, and their dipoles add up.
    tensor: Tensor = inverse.sum((-4, -2))
    return tensor


def turns(count: int) -> Tensor:
    """Random rotations and reflections: (count, 3, 3)."""
    q, r = torch.linalg.qr(torch.randn(count, 3, 3, dtype=torch.float64))
    turned: Tensor = q * r.diagonal(dim1=1, dim2=2).sign()[:, None, :]
    return turned


class Equivariant(nn.Module):
    """Tensors of pairs of vectors, with gates, and products of these, for O(3)."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        o3, linear, bilinear = tn.O(3), tn.nn.EquivariantLinear, tn.nn.EquivariantBilinear
        self.vectors = linear(o3, 1, 1, 2, channels)
        self.scalars = bilinear(o3, 1, 1, 0, channels, channels, 2 * channels)
        self.tensors = bilinear(o3, 1, 1, 2, channels, channels, channels)
        # Scalars do not turn: any function of them will do.
        self.gates = nn.Sequential(
            nn.BatchNorm1d(2 * channels),
            nn.Linear(2 * channels, 32),
            nn.SiLU(),
            nn.Linear(32, 2 * channels),
        )
        self.products = bilinear(o3, 2, 2, 2, channels, channels, channels, channels="channelwise")
        self.last = linear(o3, 2, 2, 2 * channels, 1)

    def forward(self, bonds: Tensor) -> Tensor:
        """(batch, 3, 2) to (batch, 3, 3)."""
        vectors = self.vectors(bonds)
        gates = self.gates(self.scalars(vectors, vectors))[:, None, None, :]
        first, second = gates.chunk(2, dim=-1)
        tensors = self.tensors(vectors, vectors) * first
        tensors = torch.cat([tensors, self.products(tensors, tensors) * second], dim=-1)
        y: Tensor = self.last(tensors)
        return y[..., 0]


class Linear(nn.Module):
    """All that linear layers and gates of O(3) can do with vectors."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that every such map is 0 is the point
            self.scalars = tn.nn.EquivariantLinear(tn.O(3), 1, 0, 2, channels)
            self.tensors = tn.nn.EquivariantLinear(tn.O(3), 1, 2, 2, channels)
        self.gates = nn.Sequential(nn.Linear(channels, 32), nn.SiLU(), nn.Linear(32, channels))
        self.last = tn.nn.EquivariantLinear(tn.O(3), 2, 2, channels, 1)

    def forward(self, bonds: Tensor) -> Tensor:
        """(batch, 3, 2) to (batch, 3, 3)."""
        gates = self.gates(self.scalars(bonds)).sigmoid()[:, None, None, :]
        y: Tensor = self.last(self.tensors(bonds) * gates)
        return y[..., 0]


class Perceptron(nn.Module):
    """Two hidden layers, on coordinates."""

    def __init__(self, width: int = 40) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(6, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 9)
        )

    def forward(self, bonds: Tensor) -> Tensor:
        """(batch, 3, 2) to (batch, 3, 3)."""
        y: Tensor = self.layers(bonds.flatten(1)).unflatten(1, (3, 3))
        return y


def train(network: nn.Module, bonds: Tensor, steps: int, name: str, *, turned: bool) -> None:
    """Fit a network to the polarisabilities of molecules; where ``turned``, anew in each step."""
    optimiser = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-2, total_steps=steps)
    targets = polarisability(bonds)
    with click.progressbar(length=steps, label=name, width=30) as bar:
        for _ in range(steps):
            x, y = bonds, targets
            if turned:
                g = turns(len(bonds))
                x, y = g @ x, g @ y @ g.mT
            loss = (network(x.float()) - y.float()).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            bar.update(1)
    network.eval()


def unexplained(network: Callable[[Tensor], Tensor], bonds: Tensor) -> float:
    """The error, over that of the best multiple of the identity, both as root mean squares."""
    targets = polarisability(bonds)
    one = torch.eye(3, dtype=targets.dtype)
    constant = targets.diagonal(dim1=1, dim2=2).mean() * one
    with torch.no_grad():
        error = network(bonds.float()).double() - targets
    return float(error.square().mean().sqrt() / (targets - constant).square().mean().sqrt())


def change(network: nn.Module, bonds: Tensor) -> float:
    """By how much turning the molecule, or turning the tensor, differ: relative to the tensor."""
    g = turns(len(bonds))
    with torch.no_grad():
        turned = network((g @ bonds).float()).double()
        wanted = g @ network(bonds.float()).double() @ g.mT
    return float((turned - wanted).abs().max() / wanted.abs().max())


def main(steps: int = 1000, molecules: int = 300) -> dict[str, float]:
    """Train all three; returns what each leaves unexplained on molecules that are turned."""
    torch.manual_seed(SEED)
    bonds, others = shapes(molecules), shapes(1000)
    test = turns(len(others)) @ others
    networks = {
        "bilinear layers and gates": Equivariant(),
        "linear layers and gates": Linear(),
        "perceptron, turned data": Perceptron(),
    }
    heading("The polarisability of water, from the places of its atoms")
    left = {}
    for name, network in networks.items():
        train(network, bonds, steps, name, turned=isinstance(network, Perceptron))
        left[name] = unexplained(network, test)
    print(f"\n{'':26} parameters   unexplained   turning it changes")
    for name, network in networks.items():
        weights = sum(parameter.numel() for parameter in network.parameters())
        print(f"{name:26} {weights:10,} {left[name]:13.2%} {change(network, others):14.1e}")
    print(
        f"Of {molecules} molecules in one plane, tested on {len(test):,} that are turned and "
        "reflected.\nUnexplained: the error, over that of the best multiple of the identity."
    )
    return left


if __name__ == "__main__":
    bilinear, linear, perceptron = main().values()
    if not bilinear < min(0.02, perceptron / 2):
        raise SystemExit(f"FAILED: bilinear layers leave {bilinear:.1%} unexplained")
    if not linear > 0.99:
        raise SystemExit(f"FAILED: linear layers leave only {linear:.1%} unexplained")
