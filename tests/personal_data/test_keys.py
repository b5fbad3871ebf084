"""What every key store keeps to; Postgres for real, with the rights that processes have."""

import asyncio
import uuid

import asyncpg
import pytest

from personal_data.keys import KeysUnavailable, MemoryKeys, NoKeys
from personal_data.postgres import PostgresKeys
from runtime.embedded.child import free_port

TIMEOUT_S = 20.0


def ids(count):
    return [str(uuid.uuid4()) for _ in range(count)]


@pytest.fixture
async def stored(database_url):
    keys = PostgresKeys(database_url, TIMEOUT_S, "orderlog_command")
    async with keys.opened():
        yield keys


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.integration)])
def keys(request):
    return MemoryKeys() if request.param == "memory" else request.getfixturevalue("stored")


async def test_a_key_is_made_once_and_is_nobody_elses(keys):
    orders = ids(3)
    made = await keys.made(orders)

    assert await keys.made(orders) == made
    assert await keys.found(orders) == made
    assert len({len(key) for key in made.values()} | {32}) == 1
    assert len(set(made.values())) == 3


async def test_a_key_that_nobody_has_made_is_not_found(keys):
    assert await keys.found(ids(1)) == {}
    assert await keys.found([]) == {}


async def test_a_destroyed_key_is_gone_for_good(keys):
    with_key, without = ids(2)
    await keys.made([with_key])

    await keys.destroy([with_key, without])
    await keys.destroy([with_key])

    assert await keys.found([with_key, without]) == {}
    assert await keys.made([with_key, without]) == {with_key: None, without: None}


async def test_whoever_asks_at_the_same_time_gets_the_same_key(keys):
    orders = ids(20)
    answers = await asyncio.gather(*(keys.made(orders[n % 5 :]) for n in range(40)))

    final = await keys.found(orders)
    for answer in answers:
        assert all(final[order_id] == key for order_id, key in answer.items())


async def test_two_processes_never_have_two_keys_of_one_order(stored, database_url):
    other = PostgresKeys(database_url, TIMEOUT_S, "orderlog_command")
    orders = ids(50)
    async with other.opened():
        one, two = await asyncio.gather(stored.made(orders), other.made(reversed(orders)))

    assert one == two == await stored.found(orders)


async def test_whoever_leaves_takes_no_key_from_the_others(stored):
    orders = ids(5)
    leaving = asyncio.create_task(stored.made(orders))
    staying = asyncio.create_task(stored.made(orders))
    await asyncio.sleep(0)
    leaving.cancel()

    assert (await staying).keys() == set(orders)


async def test_when_keys_were_made_and_destroyed_is_known_without_them(stored, database_url):
    kept, gone = ids(2)
    await stored.made([kept, gone])
    await stored.destroy([gone])

    connection = await asyncpg.connect(database_url)
    await connection.execute("SET ROLE orderlog_projector")
    rows = await connection.fetch("SELECT * FROM orderlog.key_states")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.fetch("SELECT key FROM orderlog_keys.order_keys")
    await connection.close()

    assert {str(row["order_id"]): row["destroyed_at"] is None for row in rows} == {
        kept: True,
        gone: False,
    }
    assert "key" not in rows[0].keys()  # noqa: SIM118 - a Record is no mapping


async def test_whoever_only_reads_makes_and_destroys_no_key(database_url):
    reading = PostgresKeys(database_url, TIMEOUT_S, "orderlog_query")
    async with reading.opened():
        assert await reading.found(ids(1)) == {}
        for attempt in (reading.made(ids(1)), reading.destroy(ids(1))):
            with pytest.raises(KeysUnavailable, match="may not act as orderlog_query"):
                await attempt


async def test_a_store_that_is_away_or_not_migrated_says_what_to_do(postgres_url):
    away = PostgresKeys(f"postgresql://x@127.0.0.1:{free_port()}/x", TIMEOUT_S, "orderlog_command")
    bare = PostgresKeys(postgres_url, TIMEOUT_S, "orderlog_command")
    async with away.opened(), bare.opened():
        with pytest.raises(KeysUnavailable, match="does not answer; ask again"):
            await away.made(ids(2))
        with pytest.raises(KeysUnavailable, match="orderlog migrate"):
            await bare.made(ids(2))


async def test_no_store_says_which_setting_is_missing():
    keys = NoKeys()
    for attempt in (keys.made(ids(1)), keys.found(ids(1)), keys.destroy(ids(1))):
        with pytest.raises(KeysUnavailable, match="set ORDERLOG_KEYS_DATABASE_URL"):
            await attempt
