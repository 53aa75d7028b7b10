"""Stages 3 to 5: plans, the backends that write them as code, and the modules that run it.

Nothing here is imported before it is asked for, so that plans and source text need no torch.
"""
