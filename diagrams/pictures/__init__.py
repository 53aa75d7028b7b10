"""Drawing diagrams: what each shows of itself, one geometry, and its printers.

A diagram gives a ``sketch``; ``picture.py`` lays it out; ``svg.py`` and ``tikz.py`` print that, ``text.py``
draws in a terminal, ``steps.py`` explains a composition.
"""
