"""Who of a group of nodes should own which partition. Pure; the group's leader asks it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One node: where it is reached, what it owns now, and whether it is about to go."""

    url: str
    owned: frozenset[int] = frozenset()
    is_leaving: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """The owner of each partition by its URL; and who had it before, where that was another."""

    owners: Mapping[int, str]
    before: Mapping[int, str]


def assign(members: Mapping[str, Member], partitions: Iterable[int]) -> Mapping[str, set[int]]:
    """Return each member's partitions: even shares, and as little moves as that allows.

    What several members claim to own goes to the first of them by id: safety does not rest on who
    is right, but on fencing.
    """
    wanted = sorted(partitions)
    staying = sorted(key for key, member in members.items() if not member.is_leaving)
    if not staying:
        return {key: set() for key in members}
    kept = _claims(members, staying, wanted)
    share, larger_shares = divmod(len(wanted), len(staying))
    # Those that own most may have the larger shares, so that fewer partitions move.
    by_claim = sorted(staying, key=lambda key: (-len(kept[key]), key))
    quotas = {key: share + (place < larger_shares) for place, key in enumerate(by_claim)}
    result = {key: set(sorted(kept[key])[: quotas[key]]) for key in staying}
    taken = set().union(*result.values())
    free = iter([partition for partition in wanted if partition not in taken])
    for key in by_claim:
        for partition in free if len(result[key]) < quotas[key] else ():
            result[key].add(partition)
            if len(result[key]) == quotas[key]:
                break
    return {key: result.get(key, set()) for key in members}


def table(members: Mapping[str, Member], assigned: Mapping[str, set[int]]) -> Table:
    """Return what every node must know to find the owner of a partition."""
    owners = {p: members[key].url for key, mine in assigned.items() for p in mine}
    before = {
        partition: member.url
        for _, member in sorted(members.items(), reverse=True)
        for partition in member.owned
        if owners.get(partition) not in {None, member.url}
    }
    return Table(owners, before)


def _claims(
    members: Mapping[str, Member], staying: Iterable[str], wanted: Iterable[int]
) -> dict[str, set[int]]:
    free = set(wanted)
    kept: dict[str, set[int]] = {}
    for key in staying:
        kept[key] = set(members[key].owned) & free
        free -= kept[key]
    return kept
