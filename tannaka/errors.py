"""Every exception that tannaka raises of its own; each refines a builtin."""

from tannaka.diagrams.errors import BackendError as BackendError
from tannaka.diagrams.errors import BasisMismatchError as BasisMismatchError
from tannaka.diagrams.errors import BottleneckWarning as BottleneckWarning
from tannaka.diagrams.errors import CertificateError as CertificateError
from tannaka.diagrams.errors import CompositionError as CompositionError
from tannaka.diagrams.errors import DescriptionError as DescriptionError
from tannaka.diagrams.errors import EquivarianceError as EquivarianceError
from tannaka.diagrams.errors import NotEquivariantError as NotEquivariantError
from tannaka.diagrams.errors import PlanError as PlanError
from tannaka.diagrams.errors import SizeError as SizeError
from tannaka.diagrams.errors import TannakaError as TannakaError
