"""Tokens: what was packed comes out again, and nothing else is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.position import Position, PositionError, log_id

LOG = log_id("cluster", "topic")
POSITIONS = st.builds(
    Position,
    st.tuples(st.text(), st.text()).map(lambda names: log_id(*names)),
    st.dictionaries(st.integers(0, 1_000), st.integers(0, 2**63 - 1), max_size=40),
)


@given(POSITIONS)
def test_a_token_holds_its_position(position):
    token = position.encode()

    assert Position.decode(token) == position
    assert token.startswith("AQ")
    assert token.isascii()
    assert not set(token) & set("+/= ")


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: raw.hex()))
def test_anything_else_is_refused_or_is_a_token(text):
    try:
        position = Position.decode(text)
    except PositionError:
        return
    assert Position.decode(position.encode()) == position


@given(POSITIONS, st.data())
def test_a_token_that_is_cut_off_never_means_more(position, data):
    token = position.encode()
    cut = token[: data.draw(st.integers(0, len(token) - 1))]
    try:
        found = Position.decode(cut)
    except PositionError:
        return
    assert position.contains(found) or found.offsets.keys() <= position.offsets.keys()


@pytest.mark.parametrize(
    "token", ["", "AQ", "hello", "AQAAAAAB", "ä", "AgAAAAAA", "AQAAAAAAAQAC", "A" * 10_000]
)
def test_what_is_no_token_is_said(token):
    with pytest.raises(PositionError, match="position"):
        Position.decode(token)


@pytest.mark.parametrize(
    ("have", "want", "expected"),
    [
        pytest.param({}, {}, True, id="nothing contains nothing"),
        pytest.param({0: 5}, {}, True, id="anything contains nothing"),
        pytest.param({0: 5}, {0: 5}, True, id="itself"),
        pytest.param({0: 6, 1: 1}, {0: 5}, True, id="more"),
        pytest.param({0: 4}, {0: 5}, False, id="behind"),
        pytest.param({1: 9}, {0: 1}, False, id="another partition"),
        pytest.param({1: 9}, {0: 0}, True, id="the beginning of a partition"),
    ],
)
def test_containing(have, want, expected):
    assert Position(LOG, have).contains(Position(LOG, want)) is expected


def test_a_position_of_another_log_contains_nothing():
    assert not Position(LOG, {0: 9}).contains(Position(log_id("cluster", "again"), {0: 1}))


@given(POSITIONS, POSITIONS, POSITIONS)
def test_containing_is_transitive(one, two, three):
    if one.contains(two) and two.contains(three):
        assert one.contains(three)
