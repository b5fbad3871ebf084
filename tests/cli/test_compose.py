"""docker-compose.yml agrees with the settings, the pins and the roles."""

from pathlib import Path

import pytest
import yaml
from pydantic_settings import BaseSettings

from runtime import settings
from runtime.embedded.packages import KAFKA_VERSION, POSTGRES_VERSION
from runtime.health import orderlog_version

ROOT = Path(__file__).resolve().parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("orderlog:")}
SETTINGS = {
    f"ORDERLOG_{name.upper()}"
    for model in vars(settings).values()
    if isinstance(model, type) and issubclass(model, BaseSettings)
    for name in model.model_fields
}


def test_the_versions_are_those_that_are_tested():
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
    assert SERVICES["postgres"]["image"] == f"postgres:{POSTGRES_VERSION.split('.')[0]}"
    assert {one["image"] for one in OURS.values()} == {f"orderlog:{orderlog_version()}"}


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name):
    assert set(OURS[name]["environment"]) <= SETTINGS


def test_each_process_has_the_addresses_it_needs_and_no_other():
    has = {
        name: {
            variable.removeprefix("ORDERLOG_")
            for variable in one["environment"]
            if variable.endswith(("KAFKA_BOOTSTRAP", "DATABASE_URL"))
        }
        for name, one in OURS.items()
    }

    assert has == {
        "topics": {"KAFKA_BOOTSTRAP"},
        "command": {"KAFKA_BOOTSTRAP", "KEYS_DATABASE_URL"},
        "projectors": {"KAFKA_BOOTSTRAP", "DATABASE_URL"},
        "query": {"DATABASE_URL", "KAFKA_BOOTSTRAP"},
        "migrate": {"DATABASE_URL"},
    }


def test_only_the_apis_are_published_and_only_here():
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}

    assert published == {"command": ["127.0.0.1:8000:8000"], "query": ["127.0.0.1:8001:8001"]}
