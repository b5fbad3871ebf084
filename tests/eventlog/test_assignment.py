"""Even shares, few moves, and one owner each, whatever members claim."""

from hypothesis import given
from hypothesis import strategies as st

from eventlog.group.assignment import Member, Table, assign, table

MEMBERS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.builds(
        Member,
        st.sampled_from(["http://1", "http://2", "http://3"]),
        st.frozensets(st.integers(0, 13), max_size=8),
        st.booleans(),
    ),
    min_size=1,
)
PARTITIONS = st.integers(1, 12).map(range)


@given(MEMBERS, PARTITIONS)
def test_every_partition_has_one_owner_and_shares_are_even(members, partitions):
    result = assign(members, partitions)

    staying = [key for key, member in members.items() if not member.is_leaving]
    owned = [partition for mine in result.values() for partition in mine]
    assert set(result) == set(members)
    assert sorted(owned) == (list(partitions) if staying else [])
    if staying:
        sizes = [len(result[key]) for key in staying]
        assert max(sizes) - min(sizes) <= 1
    assert all(not result[key] for key in members if key not in staying)


@given(MEMBERS, PARTITIONS)
def test_what_is_even_already_stays_as_it_is(members, partitions):
    first = assign(members, partitions)
    again = {key: Member(m.url, frozenset(first[key]), m.is_leaving) for key, m in members.items()}

    assert assign(again, partitions) == first
    assert table(again, first).before == {}


@given(st.integers(1, 6), PARTITIONS)
def test_a_node_that_joins_moves_no_more_than_its_share(nodes, partitions):
    before = assign({str(n): Member(f"u{n}") for n in range(nodes)}, partitions)
    members = {key: Member(f"u{key}", frozenset(mine)) for key, mine in before.items()}
    after = assign({**members, "new": Member("new")}, partitions)

    moved = sum(len(before[key] - after[key]) for key in before)
    assert moved == len(after["new"]) <= len(partitions) // nodes


def test_the_table_says_who_had_it_before():
    members = {"a": Member("http://a", frozenset({0, 1})), "b": Member("http://b")}

    result = assign(members, range(2))

    assert result == {"a": {0}, "b": {1}}
    assert table(members, result) == Table({0: "http://a", 1: "http://b"}, {1: "http://a"})


def test_a_node_that_leaves_gives_all_away():
    members = {"a": Member("http://a", frozenset({0, 1}), True), "b": Member("http://b")}

    assert assign(members, range(2)) == {"a": set(), "b": {0, 1}}
