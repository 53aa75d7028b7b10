"""``python -m tannaka`` is the command line."""

from tannaka.cli import main

main()
