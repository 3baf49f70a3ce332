"""Ports: free ones are chosen and kept, set ones are obeyed or refused by name."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearcast.errors import ServiceError
from nearcast.local.ports import choose_ports, is_free, port_variable

NAMES = ("postgres", "gateway", "mlflow", "dashboard")


@pytest.fixture(autouse=True)
def no_port_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(port_variable(name), raising=False)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server


def test_chosen_ports_are_free_and_differ() -> None:
    ports = choose_ports(NAMES, {})
    assert tuple(ports) == NAMES
    assert len(set(ports.values())) == len(NAMES)
    assert all(is_free(port) for port in ports.values())


def test_kept_ports_are_chosen_again() -> None:
    kept = choose_ports(NAMES, {})
    assert choose_ports(NAMES, kept) == kept


def test_a_kept_port_that_is_in_use_is_replaced(listener: socket.socket) -> None:
    busy = listener.getsockname()[1]
    assert not is_free(busy)
    assert choose_ports(["gateway"], {"gateway": busy})["gateway"] != busy


def test_two_services_that_kept_one_port_get_two() -> None:
    free = choose_ports(["gateway"], {})["gateway"]
    assert len(set(choose_ports(["gateway", "mlflow"], {"gateway": free, "mlflow": free}).values())) == 2


def test_a_set_port_wins_over_a_kept_one(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = choose_ports(NAMES, {})
    wanted = choose_ports(["gateway"], {})["gateway"]
    monkeypatch.setenv("NEARCAST_GATEWAY_PORT", str(wanted))
    assert choose_ports(NAMES, kept)["gateway"] == wanted


def test_a_set_port_that_is_in_use_is_refused_with_its_owner(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = listener.getsockname()[1]
    monkeypatch.setenv("NEARCAST_DASHBOARD_PORT", str(busy))
    with pytest.raises(ServiceError) as raised:
        choose_ports(NAMES, {})
    assert str(busy) in raised.value.happened and "NEARCAST_DASHBOARD_PORT" in raised.value.happened
    assert f"(process {os.getpid()})" in raised.value.happened
    assert "NEARCAST_DASHBOARD_PORT" in raised.value.todo


def test_one_port_set_for_two_services_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    free = str(choose_ports(["gateway"], {})["gateway"])
    monkeypatch.setenv("NEARCAST_GATEWAY_PORT", free)
    monkeypatch.setenv("NEARCAST_MLFLOW_PORT", free)
    with pytest.raises(ServiceError, match="are both"):
        choose_ports(NAMES, {})


@given(text=st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_any_text_set_as_port_is_obeyed_or_refused_by_name(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("NEARCAST_GATEWAY_PORT", text)
        try:
            port = choose_ports(["gateway"], {})["gateway"]
        except ServiceError as error:
            assert "NEARCAST_GATEWAY_PORT" in error.happened and error.todo
        else:
            assert not text.strip() or port == int(text)


def test_a_connection_that_is_closing_does_not_make_a_port_busy(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as client:
        served, _ = listener.accept()
        served.close()  # the server's side closes first: its port is in TIME_WAIT
        client.recv(1)
    listener.close()
    assert is_free(port)
