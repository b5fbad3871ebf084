"""A clock that only moves when everybody waits: a simulated minute takes milliseconds, and one
seed gives one history."""

import asyncio
import logging
import selectors
from collections.abc import Awaitable, Callable, Iterator

import pytest
import structlog


class _NoWaiting(selectors.BaseSelector):
    """Passes the time instead of spending it; there is no input or output to wait for."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._keys: dict[int, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list:
        if timeout is None:
            raise AssertionError("everybody waits for nothing: a deadlock")
        self.now_s += timeout
        return []

    def register(self, fileobj, events, data=None) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        self._keys[number] = selectors.SelectorKey(fileobj, number, events, data)
        return self._keys[number]

    def unregister(self, fileobj) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def get_map(self) -> dict:
        return self._keys


class SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._passing = _NoWaiting()
        super().__init__(self._passing)

    def time(self) -> float:
        return self._passing.now_s


@pytest.fixture(scope="session")
def simulate() -> Callable[[Callable[[], Awaitable]], object]:
    """Answer `simulate(main)`: what `main()` returns, in simulated time."""

    def run(main: Callable[[], Awaitable]) -> object:
        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            return runner.run(main())

    return run


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()
