"""The Merkle tree of RFC 9162, section 2.1, built while the leaves pass, in O(log n) memory.

Part of the tree over neighbouring leaves is kept as the roots of the largest whole subtrees in it,
so that parts made by several processes can be put together.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

EMPTY_ROOT = hashlib.sha256(b"").digest()
_LEAF = b"\x00"
_NODE = b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """Hash one leaf (RFC 9162 section 2.1.1)."""
    return hashlib.sha256(_LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into one (RFC 9162 section 2.1.1)."""
    return hashlib.sha256(_NODE + left + right).digest()


class Node(NamedTuple):
    """A whole subtree: of 2^`level` leaves, number `place` of its size, from the left."""

    level: int
    place: int
    hash: bytes


class Tree:
    """The leaves from number `begin` on, oldest first; `nodes` are those of an earlier part."""

    def __init__(self, begin: int = 0, nodes: Iterable[Node] = ()) -> None:
        self.nodes: list[Node] = list(nodes)
        self.end = begin
        if self.nodes:
            last = self.nodes[-1]
            self.end = (last.place + 1) << last.level

    def append(self, data: bytes) -> None:
        """Add one leaf."""
        self._add(Node(0, self.end, leaf_hash(data)))

    def extend(self, nodes: Iterable[Node]) -> None:
        """Add the leaves that come next, as another `Tree` has them."""
        for node in nodes:
            if node.place << node.level != self.end:
                raise ValueError(f"the part begins at another leaf than {self.end}")
            self._add(node)

    def _add(self, node: Node) -> None:
        level, place, value = node
        nodes = self.nodes
        self.end = (place + 1) << level
        while place & 1 and nodes and nodes[-1][0] == level:
            value = node_hash(nodes.pop().hash, value)
            level, place = level + 1, place >> 1
        nodes.append(Node(level, place, value))

    def root(self) -> bytes:
        """Return the hash of the tree, which must begin at leaf 0 (RFC 9162 section 2.1.1)."""
        if not self.nodes:
            return EMPTY_ROOT
        *others, last = self.nodes
        value = last.hash
        for node in reversed(others):
            value = node_hash(node.hash, value)
        return value


class PathBuilder:
    """Makes the inclusion path of one leaf while all leaves pass (RFC 9162 section 2.1.3.1)."""

    def __init__(self, index: int, size: int) -> None:
        self._spans = _siblings(index, 0, size)
        self._waiting = sorted(self._spans, reverse=True)
        self._tree = Tree()
        self._next = 0
        self._found: dict[tuple[int, int], bytes] = {}

    def append(self, data: bytes) -> None:
        """Take the next leaf, the first one first."""
        number = self._next
        self._next += 1
        if not self._waiting or number < self._waiting[-1][0]:
            return
        self._tree.append(data)
        if self._next == self._waiting[-1][1]:
            self._found[self._waiting.pop()] = self._tree.root()
            self._tree = Tree()

    def path(self) -> list[bytes]:
        """Return the hashes from the leaf's neighbour up, after the last leaf."""
        return [self._found[span] for span in self._spans]


def _siblings(index: int, begin: int, end: int) -> list[tuple[int, int]]:
    """Return the spans of leaves whose subtrees are the path, from the leaf up."""
    spans = []
    while end - begin > 1:
        middle = begin + (1 << ((end - begin - 1).bit_length() - 1))
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((begin, middle))
            begin = middle
    return spans[::-1]


def included_root(index: int, size: int, leaf: bytes, path: Iterable[bytes]) -> bytes | None:
    """Return the root that a path leads to from the hash of a leaf (RFC 9162 section 2.1.3.2).

    None: the path does not have the length that leaf and size call for.
    """
    if not 0 <= index < size:
        return None
    number, last, value = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if number & 1 or number == last:
            value = node_hash(sibling, value)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        number, last = number >> 1, last >> 1
    return value if last == 0 else None
