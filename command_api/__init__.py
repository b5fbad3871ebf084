"""HTTP in, the owner of the order decides, one answer out."""
