"""Drawing diagrams: what each shows of itself, one geometry, and its printers.

A diagram gives a ``sketch``; ``picture.py`` lays it out; ``svg.py`` and ``tikz.py`` print that, ``text.py``
draws in a terminal, ``steps.py`` explains a composition. A host graph is no diagram: ``embedding.py`` and
``rotations.py`` say where its vertices stand, ``hosts.py`` the rest; ``hostsvg.py`` and ``hosttikz.py`` print
it, ``panels.py`` puts it beside diagrams and in galleries.
"""
