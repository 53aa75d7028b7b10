"""What six papers by E. Pearce-Crump state, checked; and where a statement needs care, shown.

Papers are cited by their arXiv number and by what they state, without the numbers of theorems.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from oracles import rank_mod_p

import tannaka as tn
from tannaka.diagrams.counts import count_set_partitions
from tannaka.diagrams.factorisation import factor, planar_factor
from tannaka.diagrams.structure import is_planar


def rank(hom: tn.Hom) -> int:
    """The rank of all spanning matrices."""
    rows = [hom.group.matrix(d).ravel() for d in hom.diagrams()]
    return rank_mod_p(np.array(rows)) if rows else 0


class TestPermutations:
    """arXiv:2212.08648: S(n), set partitions, McKay quiver."""

    def test_deep_sets_has_two_weights_and_matrices_fifteen(self) -> None:
        """Hom(V, V) is spanned by the identity and the all-ones matrix; Hom(V^2, V^2) has 15."""
        one, ones = tn.Hom(tn.S(4), 1, 1).matrices()
        assert_array_equal(one, np.eye(4))
        assert_array_equal(ones, np.ones((4, 4)))
        assert [tn.Hom(tn.S(9), k, k).dimension for k in range(4)] == [1, 2, 15, 203]

    def test_the_dimension_is_not_a_bell_number_when_n_is_small(self) -> None:
        """The widely quoted count Bell(k + l) holds for n >= k + l only; in general it is the
        number of partitions into at most n blocks."""
        for n in range(1, 6):
            hom = tn.Hom(tn.S(n), 2, 2)
            assert hom.dimension == rank(hom) == count_set_partitions(4, most=n)
            assert (hom.dimension == 15) == (n >= 4)

    def test_weights_are_counted_by_walks_on_the_mckay_quiver(self) -> None:
        """Walks of k + l steps from the trivial representation (n) to itself."""
        for n, k, l in product(range(1, 6), range(3), range(4)):
            hom = tn.Hom(tn.S(n), k, l)
            walks = hom.walks()
            assert walks.count == hom.dimension == sum(1 for _ in walks)
            assert all(path[0] == path[-1] == (n,) for path in walks)

    def test_the_orbit_basis_has_disjoint_entries_and_is_triangular_in_diagrams(self) -> None:
        hom = tn.Hom(tn.S(4), 2, 1)
        for diagram, orbit in zip(hom.basis(), hom.basis("orbit"), strict=True):
            terms = orbit.at(4)
            assert terms[diagram] == 1
            assert all(len(d.blocks) < len(diagram.blocks) for d in terms if d != diagram)


class TestOrthogonalAndSymplectic:
    """arXiv:2212.08630: O(n), SO(n), Sp(n), Brauer and Brauer-Grood diagrams."""

    def test_the_spanning_set_of_o_2_to_2_is_three_matrices(self) -> None:
        """Trace times identity, identity, transpose."""
        x = np.arange(9).reshape(3, 3)
        images = [tn.O(3).matrix(d) @ x.ravel() for d in tn.Hom(tn.O(3), 2, 2).diagrams()]
        wanted = [x.trace() * np.eye(3), x, x.T]
        for image, matrix in zip(images, wanted, strict=True):
            assert_array_equal(image.reshape(3, 3), matrix)

    def test_so_3_from_2_to_1_is_the_cross_product(self) -> None:
        (diagram,) = tn.Hom(tn.SO(3), 2, 1).diagrams()
        x, y = np.array([1, 2, 3]), np.array([4, -5, 6])
        assert_array_equal(tn.SO(3).matrix(diagram) @ np.kron(x, y), np.cross(x, y))

    def test_brauer_grood_diagrams_exist_by_parity(self) -> None:
        for n, k, l in product(range(1, 5), range(4), range(4)):
            exist = any(isinstance(d, tn.Grood) for d in tn.Hom(tn.SO(n), k, l).diagrams())
            assert exist == (k + l >= n and (k + l - n) % 2 == 0)

    @pytest.mark.parametrize(
        ("group", "k", "l"),
        [
            (tn.O(1), 2, 2),
            (tn.O(2), 3, 3),
            (tn.SO(2), 2, 2),
            (tn.SO(3), 2, 3),
            (tn.Sp(2), 2, 2),
            (tn.Sp(2), 3, 3),
        ],
        ids=str,
    )
    def test_spanning_sets_are_not_bases_when_n_is_small(self, group: Any, k: int, l: int) -> None:
        """The paper gives spanning sets: their ranks are smaller here, and the relations say why."""
        hom = tn.Hom(group, k, l)
        assert rank(hom) == hom.dimension < hom.count
        assert len(hom.relations()) == hom.count - hom.dimension

    def test_sp_2_has_the_matrices_of_the_symplectic_form(self) -> None:
        assert_array_equal(tn.Sp(2).matrix(tn.Brauer.cap()), [[0, 1, -1, 0]])
        assert_array_equal(tn.Sp(2).matrix(tn.Brauer.cup()), [[0], [-1], [1], [0]])
        swap = np.eye(4)[[0, 2, 1, 3]]
        assert_array_equal(tn.Sp(2).matrix(tn.Brauer.swap()), -swap)


class TestAlternating:
    """arXiv:2301.10152: A(n), jellyfish, local symmetries."""

    def test_a_3_from_1_to_1_is_spanned_by_circulant_matrices(self) -> None:
        matrices = tn.Hom(tn.A(3), 1, 1).matrices()
        cycle = np.roll(np.eye(3), 1, axis=1)
        powers = np.stack([np.eye(3), cycle, cycle.T]).reshape(3, 9)
        assert np.linalg.matrix_rank(np.concatenate([matrices.reshape(3, 9), powers])) == 3

    def test_jellyfish_appear_from_order_n_minus_one_on(self) -> None:
        for n, size in product(range(2, 6), range(6)):
            same = tn.A(n).dimension(0, size) == tn.S(n).dimension(0, size)
            assert same == (size <= n - 2)

    def test_n_1_is_an_exception(self) -> None:
        """A(1) = S(1) has dimension 1: adding jellyfish would count every map twice."""
        assert [tn.A(1).dimension(0, size) for size in range(5)] == [1] * 5

    def test_local_symmetries_multiply(self) -> None:
        group = tn.S(3) * tn.S(4)
        hom = tn.Hom(group, (0, 1), (1, 0))
        assert hom.dimension == tn.Hom(tn.S(3), 1, 1).dimension * tn.Hom(tn.S(4), 1, 1).dimension


class TestCategory:
    """arXiv:2304.14144 and arXiv:2304.14165: the categories, and the factorisation."""

    def test_horizontal_and_vertical_composition_are_kronecker_and_matrix_products(self) -> None:
        f, g = tn.SetPartition(3, 2, (0, 1, 1, 0, 2)), tn.SetPartition(2, 3, (0, 0, 1, 2, 1))
        for n in (1, 2, 3):
            matrix = tn.S(n).matrix
            assert_array_equal(matrix(f >> g), matrix(g) @ matrix(f))
            assert_array_equal(matrix(f @ g), np.kron(matrix(f), matrix(g)))

    def test_two_determinants_multiply_out_to_signed_pairings(self) -> None:
        """For n = 3 and one joined leg this is the contraction of two Levi-Civita symbols."""
        cross = tn.Grood.determinant(2, 1)
        one, swap = tn.Brauer.identity(2), tn.Brauer.swap()
        assert cross >> cross.dagger() == tn.Morphism(2, 2, {(one, 0): 1, (swap, 0): -1}, n=3)

    def test_a_determinant_category_is_associative_up_to_relations_only(self) -> None:
        """Three determinants may be paired off in different ways: equal as maps, not as sums."""
        f, g, h = (
            tn.Grood(1, 0, (0,), ()),
            tn.Grood(0, 1, (0,), ()),
            tn.Grood(1, 2, (0,), ((1, 2),)),
        )
        first, second = (f >> g) >> h, f >> (g >> h)
        assert first != second
        assert_array_equal(tn.SO(1).matrix(first), tn.SO(1).matrix(second))
        assert tn.SO(1).morphism(first) == tn.SO(1).morphism(second)

    def test_every_diagram_is_permutation_planar_permutation(self) -> None:
        for diagram in tn.Hom(tn.S(4), 2, 2).diagrams():
            parts = planar_factor(diagram)
            assert is_planar(parts.planar)
            assert parts.inputs >> parts.planar >> parts.outputs == tn.Morphism.of(diagram)

    def test_six_contractions_serve_fifteen_diagrams(self) -> None:
        diagrams = list(tn.Hom(tn.S(4), 2, 2).diagrams())
        assert len({factor(d).contraction for d in diagrams}) == 6


class TestGraphs:
    """arXiv:2307.07810: bilabelled graphs."""

    def test_the_edge_is_the_adjacency_matrix_and_paths_are_its_powers(self) -> None:
        edge = tn.BilabelledGraph(2, [(0, 1)], (0,), (1,))  # type: ignore[arg-type]
        path, closed = edge.then(edge)
        assert closed == 0
        wanted = tn.BilabelledGraph("abc", ["ab", "bc"], "a", "c")  # type: ignore[arg-type]
        assert path == wanted

    def test_graphs_without_edges_are_the_diagrams_of_s(self) -> None:
        f, g = tn.SetPartition(2, 2, (0, 0, 1, 1)), tn.SetPartition(2, 1, (0, 1, 1))
        graph = tn.BilabelledGraph.from_partition
        composite, closed = f.then(g)
        assert graph(f).then(graph(g)) == (graph(composite), closed)
