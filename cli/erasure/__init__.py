"""`orderlog erase`: the personal data of one customer, in all of their orders, and the proof."""
