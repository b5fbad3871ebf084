"""A real Postgres server: its own binaries, TCP on the loopback, scram passwords."""

import hashlib
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import struct
import subprocess
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from runtime.embedded.child import Child
from runtime.embedded.errors import StackError
from runtime.embedded.packages import POSTGRES_VERSION, postgres_home

_UNPRIVILEGED = "nobody"
_ROOTS_DATA = Path("/var/lib/orderlog")
_PRIVATE = 0o700
# A start-up message: a server that takes connections asks for the password, one that still
# recovers from a crash answers with an error.
_PARAMETERS = b"user\0postgres\0database\0postgres\0\0"
_START_UP = struct.pack(">ii", 8 + len(_PARAMETERS), 196608) + _PARAMETERS


@dataclass(frozen=True, slots=True)
class Credentials:
    """The passwords of the server's login roles; kept in a file that only its owner reads."""

    admin: str
    owner: str
    projector: str
    query: str
    command: str = ""


def postgres(folder: Path, port: int, *, is_durable: bool = True) -> tuple[Child, Credentials]:
    """Return the server with its data in `folder`, listening on 127.0.0.1:`port`.

    A new folder is initialised; start it with `.start()`. `is_durable` False trades survival of a
    power cut for speed, for tests only.

    Raises:
        StackError: the binaries cannot be had, or the folder belongs to another version.
    """
    folder.mkdir(parents=True, exist_ok=True)
    version_file = folder / "VERSION"
    if version_file.exists() and version_file.read_text().strip() != POSTGRES_VERSION:
        raise StackError(
            f"{folder} was made by Postgres {version_file.read_text().strip()}, this is "
            f"{POSTGRES_VERSION}: use another --data-dir, or --fresh to begin anew"
        )
    home = postgres_home()
    data = data_folder(folder)
    secrets_file = folder / "credentials.json"
    if not version_file.exists():
        credentials = Credentials(*(secrets.token_hex(16) for _ in range(5)))
        _write_private(secrets_file, json.dumps(asdict(credentials)))
        _initialise(home, data, credentials.admin)
        version_file.write_text(POSTGRES_VERSION)
    try:
        credentials = Credentials(**json.loads(secrets_file.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise StackError(
            f"{secrets_file} is missing or damaged, and Postgres lets nobody in without it: delete "
            f"{folder} (the read models are built again from Kafka; personal data is lost with its "
            "keys), or use another --data-dir"
        ) from error
    if not credentials.command:  # The file of a release whose command side knew no database.
        credentials = replace(credentials, command=secrets.token_hex(16))
        _write_private(secrets_file, json.dumps(asdict(credentials)))
    options = {"unix_socket_directories": "", "listen_addresses": "127.0.0.1", "port": str(port)}
    if not is_durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    child = Child(
        name="Postgres",
        command=[str(home / "bin" / "postgres"), "-D", str(data), *arguments],
        log_file=folder / "postgres.log",
        is_ready=lambda: is_server(port),
        environment={"LANG": "C.UTF-8", "PATH": os.environ.get("PATH", "")},
        user=_other_user(),
        stop_signal=signal.SIGINT,  # "Fast" shutdown: clients are let go, nothing is lost.
    )
    return child, credentials


def data_folder(folder: Path) -> Path:
    """Return where the server's files are: in `folder`, or where its own user can reach them.

    Postgres refuses to run as root. Root's folders are often closed to everybody else, and
    opening them is not ours to do, so root's data lies below /var/lib/orderlog, by a link.
    """
    link = folder / "data"
    if _other_user() is None:
        return link.resolve()
    if not link.is_symlink():
        name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        target = _ROOTS_DATA / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        link.symlink_to(target)
    return link.resolve()


def remove(folder: Path) -> None:
    """Delete the server's files, also where root's link leads."""
    link = folder / "data"
    if link.is_symlink():
        shutil.rmtree(link.resolve(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _initialise(home: Path, data: Path, password: str) -> None:
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True, mode=_PRIVATE)
    user = _other_user()
    if user:
        account = pwd.getpwnam(user)
        os.chown(data, account.pw_uid, account.pw_gid)
    password_file = data.parent / f"{data.name}.password"
    _write_private(password_file, password)
    if user:
        os.chown(password_file, account.pw_uid, account.pw_gid)
    try:
        made = subprocess.run(  # noqa: S603 - our own command line
            [
                str(home / "bin" / "initdb"),
                f"--pgdata={data}",
                "--username=postgres",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            user=user,
            extra_groups=[] if user else None,
            start_new_session=True,  # Ctrl-C is for us alone: we stop once it is done.
            env={"LANG": "C.UTF-8", "PATH": os.environ.get("PATH", "")},
        )
    finally:
        password_file.unlink(missing_ok=True)
    if made.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise StackError(f"Postgres' data folder could not be made:\n{made.stderr[-2000:]}")


def _other_user() -> str | None:
    return _UNPRIVILEGED if os.geteuid() == 0 else None


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def is_server(port: int) -> bool:
    """Tell whether a Postgres server takes connections on the loopback."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.settimeout(2)
            connection.sendall(_START_UP)
            return connection.recv(1) == b"R"
    except OSError:
        return False
