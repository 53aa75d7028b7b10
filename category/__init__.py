"""Stage 2, category: groups, their Hom spaces, and the functor from diagrams to matrices."""

from tannaka.category.functor import matrix as matrix
from tannaka.category.groups import Group as Group
from tannaka.category.groups import group as group
from tannaka.category.hom import Hom as Hom
from tannaka.category.orthogonal import O as O
from tannaka.category.symmetric import S as S
