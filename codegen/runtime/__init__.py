"""Running what backends write: compiled, called from PyTorch, differentiated."""
