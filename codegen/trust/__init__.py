"""Is it equivariant? Sampled checks, proofs, certificates, and the check of any Python file."""
