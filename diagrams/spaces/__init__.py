"""All diagrams of a family: counted, numbered, sampled, listed.

``enumeration.py`` is what every family offers and the other files are the families; the functions
that users call are in ``diagrams/enumerate.py``.
"""
