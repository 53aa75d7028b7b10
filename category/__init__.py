"""Stage 2, category: groups, their Hom spaces, and the functor from diagrams to matrices."""

from tannaka.category.alternating import A as A
from tannaka.category.automorphisms import Aut as Aut
from tannaka.category.functor import matrix as matrix
from tannaka.category.groups import Group as Group
from tannaka.category.groups import group as group
from tannaka.category.hom import Hom as Hom
from tannaka.category.hyperoctahedral import H as H
from tannaka.category.orbitals import Orbit as Orbit
from tannaka.category.orthogonal import SO as SO
from tannaka.category.orthogonal import O as O
from tannaka.category.permutations import PermutationGroup as PermutationGroup
from tannaka.category.product import Product as Product
from tannaka.category.symmetric import S as S
from tannaka.category.symplectic import Sp as Sp
