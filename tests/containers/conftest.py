"""These tests run when they are asked for; then they need Docker, and fail without it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.containers.compose import BUILD_S, Compose, NoEngineError, require_engine


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Build the image; everything here needs it."""
    is_asked = os.environ.get("ORDERLOG_TEST_CONTAINERS") == "1"
    if not is_asked and request.config.getoption("--backend", "embedded") != "containers":
        pytest.skip("asked for with `make test-containers`, or ORDERLOG_TEST_CONTAINERS=1")
    try:
        require_engine()
    except NoEngineError as error:
        pytest.fail(str(error), pytrace=False)
    Compose(tmp_path_factory.mktemp("build"))("build", timeout_s=BUILD_S)


@contextmanager
def running(folder: Path, profile: str | None) -> Iterator[Compose]:
    system = Compose(folder, profile)
    system.up()
    try:
        yield system
    finally:
        system.down()


@pytest.fixture(scope="module")
def system(image: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """What `docker compose up --wait` gives."""
    with running(tmp_path_factory.mktemp("compose"), None) as system:
        yield system


@pytest.fixture(scope="module")
def cluster(image: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """What `docker compose --profile cluster up --wait` gives."""
    with running(tmp_path_factory.mktemp("cluster"), "cluster") as system:
        yield system
