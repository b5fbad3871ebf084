"""The broker's jars: pinned, all of them or none, fetched once."""

import hashlib

import pytest

from runtime.embedded import packages
from runtime.embedded.errors import StackError

JARS = {"a-1.jar": b"first", "b-2.jar": b"second"}


@pytest.fixture
def served(monkeypatch, tmp_path):
    """A registry that serves `JARS`, counted; the cache is a folder of this test."""
    fetched = []

    def resolved(scratch):
        fetched.append(scratch)
        for name, content in JARS.items():
            (scratch / name).write_bytes(content)
        return sorted(scratch.iterdir())

    pinned = tmp_path / "pinned"
    pinned.write_text(
        "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in JARS.items())
    )
    monkeypatch.setattr(packages, "_resolved_jars", resolved)
    monkeypatch.setattr(packages, "_PINNED", pinned)
    monkeypatch.setenv("ORDERLOG_CACHE_DIR", str(tmp_path / "cache"))
    return fetched


def left(tmp_path) -> list[str]:
    cache = tmp_path / "cache"
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []


def test_the_second_start_fetches_nothing(served):
    first, second = packages.kafka_jars(), packages.kafka_jars()

    assert first == second
    assert {path.name: path.read_bytes() for path in first.iterdir()} == JARS
    assert len(served) == 1


def test_another_jar_than_the_pinned_one_is_refused_and_nothing_stays(
    served, tmp_path, monkeypatch
):
    monkeypatch.setitem(JARS, "b-2.jar", b"something else")

    with pytest.raises(StackError, match=r"b-2\.jar is not the pinned file"):
        packages.kafka_jars()

    assert left(tmp_path) == []


def test_a_jar_too_much_is_refused(served, tmp_path, monkeypatch):
    monkeypatch.setitem(JARS, "c-3.jar", b"a guest")

    with pytest.raises(StackError, match=r"c-3\.jar is not the pinned file"):
        packages.kafka_jars()

    assert left(tmp_path) == []


def test_a_jar_too_few_is_refused(served, tmp_path, monkeypatch):
    monkeypatch.delitem(JARS, "a-1.jar")

    with pytest.raises(StackError, match=r"did not serve \['a-1\.jar'\]"):
        packages.kafka_jars()

    assert left(tmp_path) == []


def test_no_network_at_the_first_start_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("ORDERLOG_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    with pytest.raises(StackError, match="the first start needs the package registry"):
        packages.kafka_jars()

    assert left(tmp_path) == []


def test_a_cache_that_cannot_be_written_names_the_setting(served, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("ORDERLOG_CACHE_DIR", str(tmp_path / "file" / "cache"))

    with pytest.raises(StackError, match="ORDERLOG_CACHE_DIR"):
        packages.kafka_jars()
