"""From the symmetric group to a layer for a real social network, Zachary's karate club.

For three years W. W. Zachary recorded who in a karate club met whom outside it, and in how many
ways, until a quarrel between the instructor and the club's officer split it in two. The matrix of
these friendships is a tensor of order 2 over 34 people. Nothing may depend on who is called
number 0, so a layer for it has to commute with S(34).

Source: W. W. Zachary, An information flow model for conflict and fission in small groups, Journal
of Anthropological Research 33 (1977) 452-473; the data as networkx ships it.

Usage: python examples/karate_club.py [folder]
"""

from __future__ import annotations

from pathlib import Path

import networkx as nx
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

SEED = 1977
PEOPLE = {0: "Mr. Hi", 33: "the Officer", 8: "person 8"}


def main(folder: Path) -> list[Path]:
    """Karate club: the diagrams of S(34), the layer 2 -> 1 as a file, and the club relabelled."""
    club = nx.karate_club_graph()
    n = len(club)
    friendship = torch.from_numpy(nx.to_numpy_array(club)).reshape(n, n, 1)

    matrices, vectors = tn.Hom(tn.S(n), 2, 2), tn.Hom(tn.S(n), 2, 1)
    heading(
        f"Zachary's karate club: {n} people, {club.number_of_edges()} friendships, symmetry S(34)"
    )
    print(f"{matrices}. From matrices over people to matrices; outputs on top:\n")
    print(matrices.text(width=100))
    print(f"\n{vectors}. From matrices over people to one value each:\n")
    print(vectors.text(width=100))

    heading("The layer 2 -> 1, generated, saved, and loaded from its file")
    code = tn.generate(tn.S(n), 2, 1, in_channels=1, out_channels=8)
    path = code.save(folder / "s34_2_to_1.py")
    generated = load_layer(path, code.name)(dtype=torch.float64)
    print_kernel(path)

    heading("The file checks itself; it imports torch, and nothing of tannaka")
    run_self_check(path)

    heading("Its weights are tannaka's: state dicts move both ways")
    torch.manual_seed(SEED)
    ours = tn.nn.EquivariantLinear(tn.S(n), 2, 1, 1, 8, dtype=torch.float64)
    exchange_weights(ours, generated, friendship)

    heading(f"Relabel the people at random (seed {SEED}): the output is relabelled likewise")
    # Channel 0 gets a meaning: W1 takes the mean of a row, so 34 times it is the sum of the row.
    generated.weight[:, 0, 0] = torch.tensor([0, n, 0, 0, 0])
    generated.bias[:, 0] = 0
    number = torch.randperm(n, generator=torch.Generator().manual_seed(SEED))
    before, after = generated(friendship), generated(relabelled(friendship, number))
    print("                number       friendship in all         a random channel")
    print("              was    is         was       is            was         is")
    for person, name in PEOPLE.items():
        was, now = before[person], after[number[person]]
        print(
            f"{name:<12}{person:>5}{number[person]:>6}{was[0]:>12.3f}{now[0]:>9.3f}"
            f"{was[1]:>15.6f}{now[1]:>11.6f}"
        )
    print()  # Whole numbers add up without rounding, so the errors below can be exactly 0.
    require(
        "all people, all 8 channels",
        relative_error(after[number], before),
        control=relative_error(after, before),
        without="labels not put back",
    )
    degree = torch.tensor([club.degree(person, weight="weight") for person in club])
    require(
        "channel 0 is networkx's weighted degree",
        relative_error(before[:, 0], degree),
        control=relative_error(after[:, 0], degree),
        without="of the relabelled club",
    )

    heading("Any matrix, any relabelling: assert_equivariant")
    # The club's matrix is symmetric and its diagonal is zero; the inputs drawn here are neither.
    check_equivariance(generated)
    return [path, *write_pictures(folder, matrices, vectors)]


def relabelled(x: Tensor, number: Tensor) -> Tensor:
    """The matrix x, of shape (n, n, channels), after person i was given the number number[i]."""
    y = torch.empty_like(x)
    y[number[:, None], number[None, :]] = x
    return y


if __name__ == "__main__":
    run(main)
