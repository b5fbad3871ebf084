"""`docker compose up --wait` and what a user does then, in this order: the tour comes first."""

import json
import uuid

import httpx2
import pytest

from tests import tour
from tests.containers.compose import IMAGE, OURS, PROCESSES, docker
from tests.containers.traffic import placed_and_served, served

pytestmark = pytest.mark.timeout(1200)
CONTACT = {"name": "Jane", "email": "jane@example.org", "phone": ""}


def test_the_tour_works_as_printed(system, tmp_path):
    """On the addresses of .env, instead of those that `orderlog status` would print."""
    shown = tour.steps()
    assert len(shown) > 10
    for command, expected in shown:
        if not command.startswith(". .venv") and "orderlog status" not in command:
            tour.plays(command, expected, system.environment, tmp_path)


def test_an_order_is_readable_at_its_position(system):
    placed_and_served(system)


def test_seed_rebuild_and_audit_inside_the_containers(system):
    seeded = json.loads(system.cli("seed", "--dataset", "demo", "-o", "json"))
    rebuilt = system.cli("rebuild")
    system.cli("verify", "--all")
    system.cli("lag", "--max-seconds", "30")
    exported = system.cli("audit", "export", "--out", "trail")

    assert seeded["reconciliation"]["is_equal"] is True, seeded
    assert "equal to the one before" in rebuilt
    assert "events in" in exported
    assert system.cli("audit", "verify", "trail").startswith("valid: ")
    spoilt = "sed -i s/1299/1298/ trail/events-*.jsonl; orderlog audit verify trail; test $? = 5"
    assert "NOT VALID" in system.sh(spoilt)


def test_a_customer_is_erased(system):
    customer = f"gone-{uuid.uuid4().hex}"
    answer = placed_and_served(system, customer_id=customer, contact=CONTACT)
    assert served(system, answer)["contact"]["name"] == "Jane"

    words = ("--reason", "request 8", "--as", "user:jane", "--yes")
    certificate = json.loads(system.cli("erase", "customer", customer, *words))

    assert [one["order_id"] for one in certificate["orders"]] == [answer["order_id"]]
    assert served(system, answer)["contact"] is None
    system.cli("erase", "status", customer)


@pytest.mark.parametrize("service", PROCESSES)
def test_a_restart_of_a_service_loses_nothing(system, service):
    before = placed_and_served(system)

    system("restart", service)

    after = placed_and_served(system)
    assert served(system, before)["version"] == 1
    assert after["order_id"] != before["order_id"]
    system("up", "--detach", "--wait", "--no-recreate")


def test_our_processes_stop_by_themselves_before_docker_kills_them(system):
    """Docker kills after ten seconds: exit code 137. A client that listens does not matter."""
    url = system.given["ORDERLOG_QUERY_URL"]
    placed_and_served(system)
    with httpx2.stream("GET", f"{url}/v1/stream", timeout=60) as stream:
        assert stream.status_code == 200
        system("stop", *OURS)

    for service in OURS:
        state = system.inspected(service)["State"]
        assert (state["Status"], state["ExitCode"]) == ("exited", 0), service
    system("up", "--detach", "--wait")
    placed_and_served(system)


def test_our_containers_may_do_nothing_but_their_work(system):
    for service in OURS:
        described = system.inspected(service)
        host = described["HostConfig"]
        assert described["Config"]["User"] == "10001:10001"
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]


def test_the_image_says_what_it_is_and_keeps_no_secret(system):
    described = json.loads(docker("inspect", IMAGE))[0]
    history = docker("history", "--no-trunc", IMAGE)

    assert described["Config"]["Labels"]["org.opencontainers.image.title"] == "orderlog"
    assert described["Config"]["Entrypoint"] == ["orderlog"]
    told = json.dumps(described) + history
    assert "PIP_INDEX_URL" not in told
    passwords = {name: v for name, v in system.given.items() if name.endswith("_PASSWORD")}
    assert len(passwords) == 4
    assert not [name for name, password in passwords.items() if password in told]


@pytest.mark.parametrize("profile", ["cli", "cluster", "tools", "observability"])
def test_compose_takes_every_profile(system, profile):
    system("--profile", profile, "config", "--quiet")


def test_the_data_outlives_the_containers(system):
    before = placed_and_served(system)

    system("down")
    system.up()

    assert served(system, before)["version"] == 1
    placed_and_served(system)


def test_a_log_of_one_broker_does_not_become_one_of_three(system):
    refused = system.run("--profile", "cluster", "run", "--rm", "-T", "cluster")

    assert refused.returncode == 1
    assert "one broker" in refused.stdout + refused.stderr
