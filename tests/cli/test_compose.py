"""docker-compose.yml agrees with the settings, the pins and the roles."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic_settings import BaseSettings

from runtime import settings
from runtime.embedded.packages import KAFKA_VERSION, POSTGRES_VERSION
from runtime.health import orderlog_version

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("orderlog:")}
BROKERS = {name: one for name, one in SERVICES.items() if name in {"kafka", "kafka-2", "kafka-3"}}
ONE_SHOT = {name for name, one in SERVICES.items() if one["restart"] == "no"}
# Images that hold nothing that could ask them.
MUTE = {"otel-collector", "jaeger"}
SETTINGS = {
    f"ORDERLOG_{name.upper()}"
    for model in vars(settings).values()
    if isinstance(model, type) and issubclass(model, BaseSettings)
    for name in model.model_fields
}
EXAMPLE = dict(
    line.split("=", 1)
    for line in (ROOT / ".env.example").read_text().splitlines()
    if line and not line.startswith("#")
)


def settings_of_cluster() -> dict[str, str]:
    lines = (ROOT / "deploy/cluster.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_the_versions_are_those_that_are_tested():
    assert {one["image"] for one in BROKERS.values()} == {f"apache/kafka:{KAFKA_VERSION}"}
    assert SERVICES["postgres"]["image"] == f"postgres:{POSTGRES_VERSION.split('.')[0]}"
    assert {one["image"] for one in OURS.values()} == {f"orderlog:{orderlog_version()}"}
    assert f'image.version="{orderlog_version()}"' in (ROOT / "deploy/Dockerfile").read_text()


def test_every_image_has_a_version():
    tags = {name: one["image"].rpartition(":")[2] for name, one in SERVICES.items()}

    assert {name: tag for name, tag in tags.items() if not re.match(r"v?\d", tag)} == {}


def test_no_key_is_obsolete():
    assert {key for key in COMPOSE if not key.startswith("x-")} == {"name", "services", "volumes"}
    assert not [name for name, one in SERVICES.items() if {"links", "container_name"} & set(one)]


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name):
    assert set(OURS[name]["environment"]) - {"ORDERLOG_COMMAND_URL"} <= SETTINGS


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
        "cluster": set(),
        "command": {"KAFKA_BOOTSTRAP", "KEYS_DATABASE_URL"},
        "command-2": {"KAFKA_BOOTSTRAP", "KEYS_DATABASE_URL"},
        "projectors": {"KAFKA_BOOTSTRAP", "DATABASE_URL"},
        "projectors-2": {"KAFKA_BOOTSTRAP", "DATABASE_URL"},
        "query": {"DATABASE_URL", "KAFKA_BOOTSTRAP"},
        "migrate": {"DATABASE_URL"},
        "orderlog": {"KAFKA_BOOTSTRAP", "DATABASE_URL"},
    }


def test_each_process_has_its_own_login_and_the_owner_is_for_people():
    logins = {
        name: re.match(r"postgresql://(\w+):\$\{(\w+)_PASSWORD:-", url)
        for name, one in OURS.items()
        for variable, url in one["environment"].items()
        if variable.endswith("DATABASE_URL")
    }
    made = (ROOT / "deploy/logins.sql").read_text()

    assert {name: (login[1], login[2]) for name, login in logins.items()} == {
        "command": ("command", "COMMAND"),
        "command-2": ("command", "COMMAND"),
        "projectors": ("projector", "PROJECTOR"),
        "projectors-2": ("projector", "PROJECTOR"),
        "query": ("query", "QUERY"),
        "migrate": ("orderlog", "POSTGRES"),
        "orderlog": ("orderlog", "POSTGRES"),
    }
    for login in ("command", "projector", "query"):
        assert f"CREATE ROLE {login} LOGIN" in made
        assert f"IN ROLE orderlog_{login};" in made


@pytest.mark.parametrize("name", OURS)
def test_our_containers_may_do_nothing_but_their_work(name):
    one = OURS[name]

    assert (one["read_only"], one["cap_drop"]) == (True, ["ALL"])
    assert one["security_opt"] == ["no-new-privileges:true"]


def test_everything_is_published_on_the_loopback_at_a_port_that_can_be_chosen():
    published = {
        name: re.fullmatch(r"127\.0\.0\.1:\$\{(\w+):-(\d+)\}:\d+", port)
        for name, one in SERVICES.items()
        for port in one.get("ports", [])
    }

    assert None not in published.values()
    assert {match[1]: match[2] for match in published.values()} == {
        name: port for name, port in EXAMPLE.items() if name.endswith("_PORT")
    }
    assert set(published) >= {"command", "query", "kafka", "postgres"}


def test_the_example_shows_every_variable_with_its_default():
    used = set(re.findall(r"\$\{(\w+):-([^}]*)\}", TEXT))

    assert used == {(n, v) for n, v in EXAMPLE.items() if not n.startswith("ORDERLOG_")}


def test_whoever_runs_for_long_has_a_health_check():
    without = {name for name, one in SERVICES.items() if "healthcheck" not in one}

    assert without == ONE_SHOT | MUTE


def test_nothing_starts_before_what_it_needs():
    prepared = {"condition": "service_completed_successfully"}
    for name in ("command", "command-2", "projectors", "projectors-2", "query"):
        assert SERVICES[name]["depends_on"] == {"topics": prepared, "migrate": prepared}
    assert SERVICES["topics"]["depends_on"] == {
        "kafka": {"condition": "service_healthy"},
        "kafka-2": {"condition": "service_healthy", "required": False},
        "kafka-3": {"condition": "service_healthy", "required": False},
    }
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_the_profiles_hold_what_they_promise():
    profiles: dict[str, set[str]] = {}
    for name, one in SERVICES.items():
        profiles.setdefault(one.get("profiles", ["-"])[0], set()).add(name)

    assert profiles == {
        "-": {"kafka", "postgres", "topics", "migrate", "command", "projectors", "query"},
        "cli": {"orderlog"},
        "cluster": {"cluster", "kafka-2", "kafka-3", "command-2", "projectors-2"},
        "tools": {"kafka-ui"},
        "observability": {"otel-collector", "jaeger", "prometheus"},
    }


def test_three_brokers_are_one_cluster_that_survives_the_loss_of_one():
    shared = settings_of_cluster()
    factors = {name: value for name, value in shared.items() if name.endswith("_FACTOR")}
    minima = {name: v for name, v in shared.items() if name.endswith(("_ISR", "_REPLICAS"))}
    alone = BROKERS["kafka"]["environment"]

    assert set(factors.values()) == {"3"}
    assert set(minima.values()) == {"2"}
    assert {name for name in shared if name in alone} >= {
        name for name in alone if name.endswith(("_FACTOR", "_ISR", "_VOTERS"))
    }
    assert {name for name in shared if name.startswith("ORDERLOG_")} <= SETTINGS
    for node, (name, one) in enumerate(BROKERS.items(), 1):
        advertised = one["environment"]["KAFKA_ADVERTISED_LISTENERS"]
        assert one["environment"]["KAFKA_NODE_ID"] == str(node)
        assert f"PLAINTEXT://kafka-{node}:9092" in advertised
        assert f"{node}@kafka-{node}:9093" in shared["KAFKA_CONTROLLER_QUORUM_VOTERS"]
        alias = one["networks"]["default"]["aliases"]
        assert alias == (["kafka-1"] if name == "kafka" else ["kafka"])


def test_prometheus_asks_every_process():
    config = yaml.safe_load((ROOT / "deploy/observability/prometheus.yml").read_text())
    asked = {
        (name, found["port"])
        for job in config["scrape_configs"]
        for found in job["dns_sd_configs"]
        for name in found["names"]
    }

    assert asked == {
        ("command", 8000),
        ("command-2", 8000),
        ("query", 8001),
        ("projectors", 8002),
        ("projectors-2", 8002),
    }


def test_the_collector_sends_to_services_that_are_there():
    config = yaml.safe_load((ROOT / "deploy/observability/collector.yaml").read_text())
    hosts = {
        re.sub(r"^https?://", "", exporter["endpoint"]).partition(":")[0]
        for exporter in config["exporters"].values()
    }

    assert hosts == {"jaeger", "prometheus"}
    for pipeline in config["service"]["pipelines"].values():
        assert set(pipeline["exporters"]) <= set(config["exporters"])
        assert set(pipeline["receivers"]) <= set(config["receivers"])
