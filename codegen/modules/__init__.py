"""Stage 5, what users build networks from: linear and bilinear layers, and all that may stand between."""
