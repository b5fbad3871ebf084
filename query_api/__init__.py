"""Read models in, JSON out. Reads only, with its own database role."""
