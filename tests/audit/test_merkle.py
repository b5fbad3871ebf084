"""The tree of RFC 9162: reference vectors, and the definition written down as it stands there."""

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.evidence.merkle import Node, PathBuilder, Tree, included_root, leaf_hash

LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
"""The vectors that implementations of RFC 6962 and RFC 9162 share (certificate-transparency)."""

DATA = st.lists(st.binary(max_size=4), min_size=1, max_size=70)


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    left = 1
    while left * 2 < size:
        left *= 2
    return left


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1."""
    if len(leaves) <= 1:
        return sha256(b"\x00", leaves[0]) if leaves else sha256()
    left = split(len(leaves))
    return sha256(b"\x01", naive_root(leaves[:left]), naive_root(leaves[left:]))


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162 section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    left = split(len(leaves))
    if index < left:
        return [*naive_path(index, leaves[:left]), naive_root(leaves[left:])]
    return [*naive_path(index - left, leaves[left:]), naive_root(leaves[:left])]


def tree_of(leaves: list[bytes], begin: int = 0) -> Tree:
    tree = Tree(begin)
    for one in leaves:
        tree.append(one)
    return tree


def path_of(index: int, leaves: list[bytes]) -> list[bytes]:
    builder = PathBuilder(index, len(leaves))
    for one in leaves:
        builder.append(one)
    return builder.path()


@pytest.mark.parametrize("size", range(9))
def test_the_roots_of_the_reference_vectors(size: int):
    assert tree_of(LEAVES[:size]).root().hex() == ROOTS[size]


@pytest.mark.parametrize(("place", "path"), PATHS.items())
def test_the_paths_of_the_reference_vectors(place: tuple[int, int], path: list[str]):
    index, size = place
    found = path_of(index, LEAVES[:size])

    assert [one.hex() for one in found] == path
    root = included_root(index, size, leaf_hash(LEAVES[index]), found)
    assert root is not None
    assert root.hex() == ROOTS[size]


@given(DATA)
def test_a_root_is_that_of_the_definition(leaves):
    assert tree_of(leaves).root() == naive_root(leaves)


@given(DATA, st.data())
def test_a_path_is_that_of_the_definition_and_leads_to_the_root(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = path_of(index, leaves)

    assert path == naive_path(index, leaves)
    assert included_root(index, len(leaves), leaf_hash(leaves[index]), path) == naive_root(leaves)


@given(DATA, st.data())
def test_another_leaf_place_size_or_path_leads_elsewhere(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    leaf, path, root = leaf_hash(leaves[index]), path_of(index, leaves), naive_root(leaves)

    assert included_root(index, len(leaves), sha256(b"other"), path) != root
    assert included_root(index, len(leaves), leaf, [*path, root]) != root
    assert included_root(len(leaves), len(leaves), leaf, path) is None
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        assert included_root(index, len(leaves), leaf, path[:-1]) != root
        path[at] = sha256(path[at])
        assert included_root(index, len(leaves), leaf, path) != root


@given(DATA, st.data())
def test_a_tree_goes_on_from_what_was_kept_of_it(leaves, data):
    """After an interruption: nodes are all that is kept."""
    cut = data.draw(st.integers(0, len(leaves)))
    tree = Tree(nodes=tree_of(leaves[:cut]).nodes)
    for one in leaves[cut:]:
        tree.append(one)

    assert tree.root() == naive_root(leaves)


@given(DATA, st.data())
def test_parts_that_were_made_apart_are_put_together(leaves, data):
    """As worker processes make them, wherever one partition ends and the next begins."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(leaves)), max_size=4)))
    bounds = [0, *cuts, len(leaves)]
    tree = Tree()
    for begin, end in itertools.pairwise(bounds):
        tree.extend(tree_of(leaves[begin:end], begin).nodes)

    assert tree.root() == naive_root(leaves)


def test_a_part_that_begins_elsewhere_is_refused():
    with pytest.raises(ValueError, match="another leaf than 1"):
        tree_of(LEAVES[:1]).extend([Node(0, 2, leaf_hash(LEAVES[2]))])


@given(st.integers(1, 5_000))
def test_memory_grows_with_the_logarithm(size):
    tree = tree_of([b""] * min(size, 600))

    assert len(tree.nodes) <= min(size, 600).bit_length()
