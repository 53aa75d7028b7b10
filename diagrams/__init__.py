"""Stage 1, symbolic: diagrams, how they compose, and their pictures; finite combinatorics only."""

from tannaka.diagrams.bilabelled import BilabelledGraph as BilabelledGraph
from tannaka.diagrams.brauer import Brauer as Brauer
from tannaka.diagrams.diagram import Diagram as Diagram
from tannaka.diagrams.enumerate import bilabelled_graphs as bilabelled_graphs
from tannaka.diagrams.enumerate import brauer_diagrams as brauer_diagrams
from tannaka.diagrams.enumerate import grood_diagrams as grood_diagrams
from tannaka.diagrams.enumerate import jellyfish_diagrams as jellyfish_diagrams
from tannaka.diagrams.enumerate import set_partitions as set_partitions
from tannaka.diagrams.enumerate import typed_diagrams as typed_diagrams
from tannaka.diagrams.enumerate import walled_brauer_diagrams as walled_brauer_diagrams
from tannaka.diagrams.factorisation import Factorisation as Factorisation
from tannaka.diagrams.factorisation import factor as factor
from tannaka.diagrams.grood import Grood as Grood
from tannaka.diagrams.jellyfish import Jellyfish as Jellyfish
from tannaka.diagrams.morphism import Morphism as Morphism
from tannaka.diagrams.partition import SetPartition as SetPartition
from tannaka.diagrams.pictures.steps import compose_steps as compose_steps
from tannaka.diagrams.typed import Typed as Typed
from tannaka.diagrams.walled import WalledBrauer as WalledBrauer
