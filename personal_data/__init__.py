"""Personal data: sealed under a key of its order, opened while the key is there, erased with it."""
