import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Rejected
from domain.pricing import allocate, require_int64, value_of
from domain.values import INT64_MAX


@pytest.mark.parametrize(
    ("amount_minor", "weights", "shares"),
    [
        (100, (1, 1), (50, 50)),
        (100, (1, 1, 1), (34, 33, 33)),
        (200, (1, 1, 1), (67, 67, 66)),
        (10, (1, 2, 4), (1, 3, 6)),
        (1, (0, 5), (0, 1)),
        (7, (7,), (7,)),
        (0, (3, 4), (0, 0)),
        (0, (0, 0), (0, 0)),
        (INT64_MAX, (INT64_MAX, INT64_MAX), (INT64_MAX // 2 + 1, INT64_MAX // 2)),
    ],
)
def test_the_largest_remainder_gets_the_odd_unit(amount_minor, weights, shares):
    assert allocate(amount_minor, weights) == shares


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=12), st.integers(0, 120_000))
@settings(max_examples=200, deadline=None)
def test_shares_add_up_and_are_fair(weights, amount_minor):
    amount_minor = min(amount_minor, sum(weights))
    shares = allocate(amount_minor, weights)

    assert sum(shares) == amount_minor
    for share, weight in zip(shares, weights, strict=True):
        assert 0 <= share <= weight
        assert abs(share * sum(weights) - amount_minor * weight) < max(sum(weights), 1)


@given(st.integers(0, INT64_MAX), st.lists(st.integers(1, 50), min_size=1, max_size=10))
@settings(max_examples=200, deadline=None)
def test_taking_pieces_in_any_steps_adds_up_to_the_line(total_minor, steps):
    left, left_minor, values = sum(steps), total_minor, []
    for step in steps:
        values.append(value_of(step, of_pieces=left, worth_minor=left_minor))
        left, left_minor = left - step, left_minor - values[-1]

    assert sum(values) == total_minor
    assert min(values) >= 0


def test_only_what_fits_64_bits_is_kept():
    require_int64(0, INT64_MAX, -INT64_MAX)
    for amount in (INT64_MAX + 1, -INT64_MAX - 2):
        with pytest.raises(Rejected) as refusal:
            require_int64(0, amount)
        assert refusal.value.rule == "amount-overflow"
