"""Sealed text: what goes in comes out, with the right key and in the right place alone."""

import re
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.personal import essence, is_same
from domain.values import ESSENCE_CHARACTERS, SEALED, Address, Contact
from personal_data.keys import MemoryKeys
from personal_data.opening import open_all
from personal_data.sealing import TEXT, Unopenable, keyed, new_key, opened, order_of, seal

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
ORDER, OTHER_ORDER = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f", "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e10"
WORDS = st.text(max_size=60)


def bytes_of(text):
    encoded = text.removeprefix(SEALED)
    return urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


VALUES = st.one_of(
    WORDS,
    st.builds(Contact, WORDS, WORDS, WORDS),
    st.builds(Address, WORDS, st.lists(WORDS, max_size=3).map(tuple), WORDS, WORDS, WORDS, WORDS),
)


@given(VALUES, st.uuids(), st.integers(1, 2**32 - 1))
def test_what_was_sealed_is_opened_as_json(value, order_id, version):
    text = seal(KEY, str(order_id), version, value)

    assert opened(KEY, text) == orjson.dumps(value)
    assert order_of(text) == str(order_id)
    assert TEXT.fullmatch(text)
    assert orjson.dumps(text) == f'"{text}"'.encode()  # No character of it is escaped in JSON.


def test_another_key_does_not_open_it():
    with pytest.raises(Unopenable):
        opened(OTHER_KEY, seal(KEY, ORDER, 1, "ring twice"))


def test_no_single_character_can_be_changed():
    text = seal(KEY, ORDER, 1, "ring twice")
    essence_end = len(SEALED) + ESSENCE_CHARACTERS
    for at in range(essence_end, len(text)):
        for other in "Aa0_":
            changed = text[:at] + other + text[at + 1 :]
            if changed == text:
                continue
            try:
                assert opened(KEY, changed) == b'"ring twice"'
            except Unopenable:
                continue
            assert at == len(text) - 1, "only bits that pad the last character may differ"


def test_text_of_another_order_or_place_does_not_open():
    own = bytes_of(seal(KEY, ORDER, 1, "x"))
    for other_order, other_version in ((OTHER_ORDER, 1), (ORDER, 2)):
        other = bytes_of(seal(KEY, other_order, other_version, "x"))
        moved = own[:18] + other[18:38] + own[38:]
        with pytest.raises(Unopenable):
            opened(KEY, SEALED + urlsafe_b64encode(moved).rstrip(b"=").decode())


@given(VALUES, VALUES)
def test_what_is_the_same_is_known_without_opening_it(one, other):
    first, again = seal(KEY, ORDER, 1, one), seal(KEY, ORDER, 7, one)

    assert is_same(first, again)
    assert first != again  # Nobody sees more than that.
    assert is_same(first, seal(KEY, ORDER, 1, other)) == (one == other)
    assert not is_same(first, seal(OTHER_KEY, ORDER, 1, one))


@given(WORDS.filter(lambda text: not text.startswith(SEALED)))
def test_plain_text_is_its_own_essence(text):
    assert essence(text) == text


def test_a_fingerprint_under_a_key_says_nothing_without_it():
    plain = b"f" * 32
    assert keyed(KEY, plain) == keyed(KEY, plain)
    assert len({plain, keyed(KEY, plain), keyed(OTHER_KEY, plain)}) == 3


def test_no_nonce_comes_twice():
    texts = {
        seal(KEY, ORDER, 1, "the same")[len(SEALED) + ESSENCE_CHARACTERS :] for _ in range(999)
    }
    assert len(texts) == 999


async def test_json_is_opened_where_it_is_sealed_and_nowhere_else():
    keys = MemoryKeys()
    made = await keys.made([ORDER, OTHER_ORDER])
    await keys.destroy([OTHER_ORDER])
    contact = Contact("Zoë", "z@example.org", '"; drop')
    body = {
        "contact": seal(made[ORDER], ORDER, 1, contact),
        "notes": [{"text": seal(made[ORDER], ORDER, 2, "line one\nline two")}],
        "ship_to": seal(made[OTHER_ORDER], OTHER_ORDER, 1, "gone"),
        "bill_to": seal(new_key(), str(uuid.uuid4()), 1, "no key"),
        "text": "sealed1:short",
        "sku": seal(made[ORDER], ORDER, 1, "a name that somebody chose"),
        "within": f'"text":{seal(made[ORDER], ORDER, 1, "x")}',
    }

    shown = orjson.loads(await open_all(orjson.dumps(body), keys))

    assert shown == {
        **body,
        "contact": {"name": "Zoë", "email": "z@example.org", "phone": '"; drop'},
        "notes": [{"text": "line one\nline two"}],
        "ship_to": None,
        "bill_to": None,
    }


async def test_text_that_its_key_has_not_sealed_stays_as_it_is():
    keys = MemoryKeys()
    await keys.made([ORDER])
    forged = orjson.dumps({"contact": seal(OTHER_KEY, ORDER, 1, "x")})

    assert await open_all(forged, keys) == forged


async def test_json_without_seals_asks_for_no_key():
    plain = b'{"contact":null}'
    assert await open_all(plain, None) is plain


def test_the_format_is_as_documented():
    text = seal(KEY, ORDER, 3, "x")
    assert re.fullmatch(r"sealed1:[A-Za-z0-9_-]{92,}", text)
