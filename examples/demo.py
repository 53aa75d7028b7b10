"""The demo: a group is named, and its layers come as diagrams, as code, and checked on real data.

python examples/demo.py [folder]
"""

from __future__ import annotations

import karate_club
import molecule
from trial import run

if __name__ == "__main__":
    run(karate_club.main, molecule.main)
