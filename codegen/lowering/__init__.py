"""Stage 3, from a Hom basis to a plan: one module for each way, and the choice between them."""
