"""Ray for as long as a block lasts: the cluster that RAY_ADDRESS names, or one of this machine's own.

A local one listens on 127.0.0.1 only, keeps its files in a folder that only their owner reads, and ends with
this process, however it ends: the kernel kills Ray's daemons with it (PR_SET_PDEATHSIG, set by Ray), and a shell
that waits for its end kills the daemons' agents, which would outlive it by a minute.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from nearcast.errors import ForecastError

ADDRESS_VARIABLE = "RAY_ADDRESS"
HOST = "127.0.0.1"
TEMPORARY_PREFIX = "nearcast-ray-"
LONGEST_FOLDER = 40
"""Of the 107 bytes that an AF_UNIX path may have, Ray's own part (session, sockets, name) takes up to 66."""
OBJECT_STORE_BYTES = 256 << 20
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}
"""Ray's own switches: no statistics to its makers, no tables on stdout, no files beside what is asked for."""
WORKER_VARIABLES = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
"""A worker has one CPU; spinning OpenMP threads would starve the others."""


@contextmanager
def ray_cluster(home: Path) -> Iterator[None]:
    """Join RAY_ADDRESS's cluster, or start one on this machine and end it after the block.

    One that this process has joined already is used as it is.

    Parameters
    ----------
    home
        NEARCAST_HOME, in whose folder ``ray`` a local one keeps its files while it runs.

    Raises
    ------
    ForecastError
        There is no cluster at RAY_ADDRESS, a local one does not start, or ray was imported before.
    """
    address = os.environ.get(ADDRESS_VARIABLE)
    if "ray" in sys.modules and not address and "RAY_AUTH_TOKEN" not in os.environ:
        raise ForecastError(
            "Ray was imported before its switches for this machine alone were set, and would ignore them.",
            todo="Use a process that has not imported ray, such as `nearcast tune`.",
        )
    for name, value in (QUIET if address else QUIET | _local_variables()).items():
        os.environ.setdefault(name, value)
    import ray  # which reads those only now

    if ray.is_initialized():
        yield
        return
    with _local_options(home) if not address else nullcontext({"address": address}) as options:
        try:
            _start(options)
            with nullcontext() if address else _agents_end_with_this_process():
                yield
        finally:
            ray.shutdown()


def _start(options: dict[str, Any]) -> None:
    import ray

    try:
        ray.init(
            **options,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": WORKER_VARIABLES},
        )
    except (ConnectionError, RuntimeError, TimeoutError, OSError) as error:
        raise ForecastError(
            f"Ray ({options['address']}) did not start: {str(error).splitlines()[0]}",
            todo=f"Check {ADDRESS_VARIABLE}, or unset it to use this machine alone.",
        ) from error
    if "_node_ip_address" in options and ray.util.get_node_ip_address() != HOST:
        raise ForecastError(
            f"Ray would listen on {ray.util.get_node_ip_address()}, and not on this machine's loopback alone.",
            kept="Ray was ended.",
            todo="Unset RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER.",
        )


@contextmanager
def _agents_end_with_this_process() -> Iterator[None]:
    """Kill what Ray has started once this process is gone, of which a pipe's end tells."""
    import psutil

    pids = [str(process.pid) for process in psutil.Process().children(recursive=True)]
    command = ["sh", "-c", 'read -r _; kill -9 "$@" 2>/dev/null', "sh", *pids]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as waiting:
        try:
            yield
        finally:
            waiting.kill()


def _local_variables() -> dict[str, str]:
    """Return what makes a local Ray this user's alone.

    Without the first Ray takes the machine's outer address for itself, on Linux, whatever it is told. With a
    token of its own it takes no call from other users of the machine, and writes none to ~/.ray.
    """
    return {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }


@contextmanager
def _local_options(home: Path) -> Iterator[dict[str, Any]]:
    """Yield the options of a Ray of this machine's own, with a folder that is removed afterwards."""
    folder = _folder(home)
    try:
        yield {
            "address": "local",
            "num_cpus": len(os.sched_getaffinity(0)),
            "object_store_memory": OBJECT_STORE_BYTES,
            "include_dashboard": False,
            "_node_ip_address": HOST,
            "_temp_dir": str(folder),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _folder(home: Path) -> Path:
    """Return a new folder for Ray's files: in the home, or elsewhere when its path is too long for sockets.

    Folders that ended processes left behind (kill -9) go first.
    """
    parent, name = home.absolute() / "ray", str(os.getpid())
    if len(os.fsencode(parent / name)) > LONGEST_FOLDER:
        parent, name = Path(tempfile.gettempdir()), f"{TEMPORARY_PREFIX}{os.getpid()}-"
        _remove_left_behind(parent.glob(f"{TEMPORARY_PREFIX}*"))
        return Path(tempfile.mkdtemp(prefix=name, dir=parent))
    parent.mkdir(parents=True, exist_ok=True)
    _remove_left_behind(parent.iterdir())
    (parent / name).mkdir(mode=0o700)
    return parent / name


def _remove_left_behind(folders: Iterable[Path]) -> None:
    import psutil

    for folder in folders:
        pid = folder.name.removeprefix(TEMPORARY_PREFIX).split("-")[0]
        if pid.isdecimal() and (int(pid) == os.getpid() or not psutil.pid_exists(int(pid))):
            shutil.rmtree(folder, ignore_errors=True)  # another user's stays
