"""The embedded broker: its settings, its data folder, and the faults that are said in words."""

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from runtime.embedded import kafka as module
from runtime.embedded import packages
from runtime.embedded.child import free_port
from runtime.embedded.errors import StackError
from runtime.embedded.kafka import is_broker, kafka, new_cluster_id

NEEDED = {
    "process.roles": "broker,controller",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}


@pytest.fixture
def broker_folder(tmp_path, monkeypatch) -> Path:
    """A folder that was formatted before; the jars are not looked at."""
    monkeypatch.setattr(module, "kafka_jars", lambda _say: tmp_path / "jars")
    folder = tmp_path / "kafka"
    folder.mkdir()
    (folder / "VERSION").write_text(packages.KAFKA_VERSION)
    return folder


def properties(folder: Path) -> dict[str, str]:
    lines = (folder / "server.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize(("name", "value"), NEEDED.items(), ids=list(NEEDED))
def test_the_broker_is_told_what_one_node_needs(broker_folder, name, value):
    kafka(broker_folder, 9092)

    assert properties(broker_folder)[name] == value


def test_the_broker_listens_on_the_loopback_alone(broker_folder):
    kafka(broker_folder, 19092)
    found = properties(broker_folder)

    assert found["advertised.listeners"] == "PLAINTEXT://127.0.0.1:19092"
    addresses = re.findall(r"://([^,]*?):(\d+)", found["listeners"])
    assert [host for host, _ in addresses] == ["127.0.0.1", "127.0.0.1"]
    assert found["controller.quorum.voters"] == f"1@127.0.0.1:{addresses[1][1]}"


def test_data_and_log_are_in_the_folder(broker_folder):
    child = kafka(broker_folder, 9092)

    assert properties(broker_folder)["log.dirs"] == str(broker_folder / "log")
    assert child.log_file == broker_folder / "kafka.log"


def test_nothing_of_our_environment_reaches_the_broker(broker_folder, monkeypatch):
    """KAFKA_OPTS and the like are for another Kafka."""
    monkeypatch.setenv("KAFKA_HEAP_OPTS", "-Xmx16g")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Dx=y")

    child = kafka(broker_folder, 9092)

    assert set(child.environment) == {"PATH", "LANG"}


def test_a_folder_of_another_version_is_left_as_it_is(broker_folder):
    (broker_folder / "VERSION").write_text("4.2.0")

    with pytest.raises(StackError) as refused:
        kafka(broker_folder, 9092)

    said = str(refused.value)
    assert f"{broker_folder} was made by Kafka 4.2.0, this is {packages.KAFKA_VERSION}" in said
    assert "--data-dir" in said
    assert "--fresh" in said
    assert not (broker_folder / "server.properties").exists()


@pytest.fixture
def tool(tmp_path, monkeypatch) -> Path:
    """Stands for the Java launcher: notes what it is asked, and fails when a file says so."""
    script = tmp_path / "java"
    script.write_text(
        f"#!{sys.executable}\n"
        "import os, pathlib, sys\n"
        "here = pathlib.Path(__file__).parent\n"
        "with (here / 'asked').open('a') as asked:\n"
        "    print(os.getsid(0), *sys.argv[1:], file=asked)\n"
        "if (here / 'fails').exists(): sys.exit('No space left on device')\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(module, "kafka_jars", lambda _say: tmp_path / "jars")
    monkeypatch.setattr(module, "java", lambda: script)
    return tmp_path


def test_a_new_folder_is_formatted_once(tool):
    for _ in range(2):
        kafka(tool / "kafka", 9092)

    (asked,) = (tool / "asked").read_text().splitlines()
    assert "kafka.tools.StorageTool format" in asked
    assert str(tool / "kafka" / "server.properties") in asked


def test_a_folder_that_cannot_be_formatted_is_said_and_tried_again(tool):
    (tool / "fails").touch()
    with pytest.raises(StackError, match="could not be made:\nNo space left on device"):
        kafka(tool / "kafka", 9092)
    (tool / "fails").unlink()

    kafka(tool / "kafka", 9092)

    assert (tool / "kafka" / "VERSION").read_text() == packages.KAFKA_VERSION


def test_ctrl_c_does_not_cut_the_formatting_off(tool):
    """A terminal's Ctrl-C goes to all of its session; the tool has one of its own."""
    kafka(tool / "kafka", 9092)

    session, *_ = (tool / "asked").read_text().split()
    assert int(session) != os.getsid(0)


def test_a_start_that_ended_just_after_formatting_can_be_given_again(tmp_path):
    """With the real tool: the folder is formatted, and nobody noted it."""
    folder = tmp_path / "kafka"
    kafka(folder, free_port())
    meta = (folder / "log" / "meta.properties").read_text()
    (folder / "VERSION").unlink()

    kafka(folder, free_port())

    assert (folder / "log" / "meta.properties").read_text() == meta
    assert (folder / "VERSION").read_text() == packages.KAFKA_VERSION


def test_a_port_where_nobody_or_somebody_else_listens_is_no_broker():
    program = "import socket; s = socket.create_server(('127.0.0.1', 0)); \
print(s.getsockname()[1], flush=True); c, _ = s.accept(); c.sendall(b'SSH-2.0-x'); c.recv(1)"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as other:
        port = int(other.stdout.readline())
        try:
            assert not is_broker(port)
        finally:
            other.kill()
    assert not is_broker(free_port())


def test_a_broker_that_answers_is_ready(backend, kafka_bootstrap):
    if backend != "embedded":
        pytest.skip("about the embedded broker")
    assert is_broker(int(kafka_bootstrap.rpartition(":")[2]))


def test_a_cluster_id_is_never_taken_for_an_option(monkeypatch):
    drawn = [uuid.UUID(bytes=bytes([first, *range(15)])) for first in (0xF8, 0xFB, 0x07)]
    monkeypatch.setattr(module.uuid, "uuid4", iter(drawn).__next__)

    assert new_cluster_id() == "BwABAgMEBQYHCAkKCwwNDg"
