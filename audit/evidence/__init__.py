"""What a party outside can hold an export against: Merkle tree, signatures, heads and proofs."""
