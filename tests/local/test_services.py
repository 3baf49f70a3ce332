"""Services under a supervisor, with small web servers in place of the real ones."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from nearcast.errors import ServiceError
from nearcast.local import processes
from nearcast.local.health import Check, http_answers
from nearcast.local.home import prepare_home
from nearcast.local.launch import (
    Launcher,
    await_healthy,
    home_supervisor,
    in_parallel,
    launching,
)
from nearcast.local.ports import choose_ports
from nearcast.local.secrets import load_secrets
from nearcast.local.services import WITH_PORT, Service, local_services
from nearcast.local.supervise import Supervisor
from nearcast.local.world import service_states, stop


def quiet(text: str) -> None:
    """Take a note and drop it."""


def web(name: str, port: int, priority: int = 10) -> Service:
    command = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port))
    return Service(name, command, priority, healthy=http_answers(port, "/"), port=port, stop_seconds=5)


def script(name: str, code: str, priority: int = 20) -> Service:
    return Service(name, (sys.executable, "-c", code), priority, stop_seconds=2, start_retries=1)


def webs(*names: str) -> list[Service]:
    return [web(name, port, 10 + n) for n, (name, port) in enumerate(choose_ports(names, {}).items())]


def says_ready(home: Path, name: str) -> Check:
    log = home / "logs" / f"{name}.log"
    return lambda: log.exists() and "ready" in log.read_text()


def run(home: Path, services: list[Service], notes: list[str] | None = None) -> Launcher:
    note = quiet if notes is None else notes.append
    with launching(home_supervisor(home, note), services, note) as launcher:
        for service in services:
            launcher.start_and_wait(service, timeout=30)
    return launcher


def states(home: Path, services: list[Service]) -> dict[str, str]:
    return {found.name: found.state for found in service_states(home, services)}


def until(what: str, seconds: float, holds: object) -> None:
    deadline = time.monotonic() + seconds
    assert callable(holds)
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    # Longer than a socket's path may be, and with what shells and configuration files trip over.
    folder = prepare_home(tmp_path / ("a long name with 100% of 'quotes' and ümläuts " * 3))
    yield folder
    stop(folder)


def test_services_start_answer_and_leave_no_process_behind(home: Path) -> None:
    services = webs("one", "two")
    run(home, services)
    for service in services:
        assert urllib.request.urlopen(f"http://127.0.0.1:{service.port}/").status == 200
    assert states(home, services) == {"one": "running", "two": "running"}
    assert set(processes.find(home).values()) == {"supervisor", "one", "two"}

    assert stop(home) == ["one", "two"]

    assert processes.find(home) == {}
    assert states(home, services) == {"one": "stopped", "two": "stopped"}
    assert stop(home) == []


def test_services_stop_in_reverse_order(home: Path) -> None:
    trace = home / "order"
    code = (
        "import signal, sys, time; write = lambda: open(sys.argv[1], 'a').write(sys.argv[2] + ' '); "
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(write() and 0)); print('ready', flush=True); time.sleep(60)"
    )
    services = [
        Service(
            name, (sys.executable, "-c", code, str(trace), name), priority, healthy=says_ready(home, name)
        )
        for name, priority in (("m", 20), ("z", 10), ("a", 30))
    ]
    run(home, services)
    stop(home)
    assert trace.read_text().split() == ["a", "m", "z"]


def test_every_service_is_its_own_process_group_and_its_children_end_with_it(home: Path) -> None:
    code = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    service = script("parent", f"{code}; time.sleep(60)")
    run(home, [service])
    until("the child runs", 5, lambda: list(processes.find(home).values()).count("parent") == 2)
    groups = {os.getpgid(pid) for pid, name in processes.find(home).items() if name == "parent"}
    assert len(groups) == 1 and os.getpgid(0) not in groups
    Supervisor(home).stop("parent")
    assert "parent" not in processes.find(home).values()


def test_a_service_that_dies_is_restarted(home: Path) -> None:
    services = webs("one")
    run(home, services)
    before = service_states(home, services)[0].pid
    assert before
    os.kill(before, signal.SIGKILL)
    until("another process serves", 20, lambda: service_states(home, services)[0].pid not in (before, None))
    await_healthy(Supervisor(home), services[0], 20)


def test_a_service_that_fails_names_itself_its_log_and_stops_the_others(home: Path) -> None:
    good, bad = webs("good")[0], script("bad", "raise SystemExit('no such thing as a free port')")
    with pytest.raises(ServiceError) as raised:
        run(home, [good, bad])
    assert "bad" in raised.value.happened and "no such thing as a free port" in raised.value.happened
    assert str(home / "logs" / "bad.log") in raised.value.todo
    assert processes.find(home) == {}


def test_a_command_that_does_not_exist_is_named(home: Path) -> None:
    with pytest.raises(ServiceError, match="absent cannot be started"):
        run(home, [Service("absent", ("/no/such/program",), 10)])
    assert processes.find(home) == {}


def test_a_service_that_never_answers_fails_at_its_deadline(home: Path) -> None:
    deaf = Service(
        "deaf",
        (sys.executable, "-c", "import time; print('deaf', flush=True); time.sleep(60)"),
        10,
        healthy=lambda: False,
    )
    with (
        pytest.raises(ServiceError, match=r"deaf was not ready within 0\.5 s"),
        launching(Supervisor(home), [deaf], quiet) as launcher,
    ):
        launcher.start_and_wait(deaf, timeout=0.5)
    assert processes.find(home) == {}


def test_a_failure_leaves_alone_what_ran_before(home: Path) -> None:
    services = webs("old", "new")
    old, new = services
    with launching(home_supervisor(home, quiet), services, quiet) as launcher:
        launcher.start_and_wait(old)
    with (
        pytest.raises(KeyboardInterrupt),
        launching(home_supervisor(home, quiet), services, quiet) as launcher,
    ):
        launcher.start_and_wait(new)
        raise KeyboardInterrupt
    assert states(home, services) == {"old": "running", "new": "stopped"}


def test_a_second_start_finds_the_first(home: Path) -> None:
    services = webs("one")
    run(home, services)
    before = processes.find(home)
    assert run(home, services).started == []
    assert processes.find(home) == before


def test_after_a_kill_of_everything_it_starts_again(home: Path) -> None:
    services = webs("one", "two")
    run(home, services)
    supervisor_first = sorted(
        processes.find(home), key=lambda pid: processes.find(home).get(pid) != "supervisor"
    )
    for pid in supervisor_first:
        os.kill(pid, signal.SIGKILL)
    until("all are gone", 5, lambda: not processes.find(home))
    assert states(home, services) == {"one": "stopped", "two": "stopped"}
    run(home, services)
    assert states(home, services) == {"one": "running", "two": "running"}


def test_services_whose_supervisor_was_killed_are_shown_and_replaced(home: Path) -> None:
    services, notes = webs("one"), list[str]()
    run(home, services)
    supervisor = next(pid for pid, name in processes.find(home).items() if name == "supervisor")
    os.kill(supervisor, signal.SIGKILL)
    until("the supervisor is gone", 5, lambda: not processes.alive(supervisor))
    assert states(home, services) == {"one": "unsupervised"}
    orphan = service_states(home, services)[0].pid
    run(home, services, notes)
    assert any("ended what an earlier run left" in note for note in notes)
    assert states(home, services) == {"one": "running"}
    assert service_states(home, services)[0].pid != orphan


def test_a_stop_ends_services_whose_supervisor_was_killed_and_which_ignore_sigterm(home: Path) -> None:
    stubborn = script("stubborn", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)")
    run(home, [stubborn])
    supervisor = next(pid for pid, name in processes.find(home).items() if name == "supervisor")
    os.kill(supervisor, signal.SIGKILL)
    processes_grace, processes.GRACE_S = processes.GRACE_S, 0.5
    try:
        assert stop(home) == ["stubborn"]
    finally:
        processes.GRACE_S = processes_grace
    assert processes.find(home) == {}


def test_two_homes_run_side_by_side(home: Path, tmp_path: Path) -> None:
    other = prepare_home(tmp_path / "other")
    mine, theirs = webs("one"), webs("one")
    try:
        run(home, mine)
        run(other, theirs)
        assert not set(processes.find(home)) & set(processes.find(other))
        stop(home)
        assert states(other, theirs) == {"one": "running"}
    finally:
        stop(other)


def test_a_users_own_command_with_nearcast_home_is_never_ended(home: Path) -> None:
    mine = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, "NEARCAST_HOME": str(home)}
    )
    try:
        assert processes.find(home) == {}
        assert stop(home) == []
        assert mine.poll() is None
    finally:
        mine.kill()
        mine.wait()


def test_the_supervisor_has_a_session_of_its_own_and_files_for_its_owner_only(home: Path) -> None:
    run(home, webs("one"))
    pid = next(pid for pid, name in processes.find(home).items() if name == "supervisor")
    assert os.getsid(pid) != os.getsid(0)
    config = home / "supervisor" / "supervisord.conf"
    socket = Path((home / "supervisor" / "socket").read_text())
    assert [stat.S_IMODE(p.stat().st_mode) for p in (config, socket, socket.parent, home / "logs")] == [
        0o600, 0o600, 0o700, 0o700,
    ]  # fmt: skip
    assert len(os.fsencode(socket)) < 104
    stop(home)
    assert not socket.parent.exists()


def test_a_failed_step_is_raised_while_the_others_still_run() -> None:
    started = time.monotonic()

    def fail() -> None:
        raise ServiceError("first failure")

    with pytest.raises(ServiceError, match="first failure"):
        in_parallel([lambda: time.sleep(3), fail])
    assert time.monotonic() - started < 2.5


def test_every_local_service_binds_the_loopback_address_and_carries_no_password(tmp_path: Path) -> None:
    secrets = load_secrets(tmp_path)
    services = local_services(tmp_path, {name: 5000 + n for n, name in enumerate(WITH_PORT)})
    listening = [s.name for s in services if s.port]
    assert listening == ["postgres", "gateway", "dashboard", "mlflow", "airflow-api-server"]
    assert [s.priority for s in services] == sorted(s.priority for s in services)
    visible = " ".join(word for s in services for word in (*s.command, *s.environment.values()))
    assert "0.0.0.0" not in visible
    assert not [value for value in vars(secrets).values() if value in visible]
