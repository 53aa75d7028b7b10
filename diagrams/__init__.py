"""Stage 1, symbolic: diagrams, how they compose, and their pictures; finite combinatorics only."""

from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.enumerate import (
    bilabelled_graphs,
    brauer_diagrams,
    grood_diagrams,
    jellyfish_diagrams,
    set_partitions,
    typed_diagrams,
    walled_brauer_diagrams,
)
from tannaka.diagrams.factorisation import Factorisation, factor
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.pictures.steps import compose_steps
from tannaka.diagrams.typed import Typed
from tannaka.diagrams.walled import WalledBrauer

__all__ = [
    "BilabelledGraph",
    "Brauer",
    "Diagram",
    "Factorisation",
    "Grood",
    "Jellyfish",
    "Morphism",
    "SetPartition",
    "Typed",
    "WalledBrauer",
    "bilabelled_graphs",
    "brauer_diagrams",
    "compose_steps",
    "factor",
    "grood_diagrams",
    "jellyfish_diagrams",
    "set_partitions",
    "typed_diagrams",
    "walled_brauer_diagrams",
]
