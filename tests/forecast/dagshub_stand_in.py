"""DagsHub's two calls that `dagshub.init` makes, in front of a real MLflow server that asks for user and password."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from tests.conftest import free_port

OWNER, REPOSITORY = "ana", "stocks"
TOKENS = {"ana": "ana-token-8f1c6a5e", "ben": "ben-token-27d9b04f"}
"""Ana owns the repository; Ben may look at it."""
ADMIN = ("admin", "admin-password-1")
HOP_BY_HOP = (
    "connection",
    "transfer-encoding",
    "content-encoding",
    "content-length",
    "date",
    "server",
    "host",
)


@dataclass
class StandIn:
    """Where it listens, where the MLflow server does, and what it was asked."""

    host: str
    mlflow: str
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def running_dagshub(folder: Path, empty_database: Path) -> Iterator[StandIn]:
    """Run both; the MLflow server's database is a copy of an empty one."""
    with _running_mlflow(folder, empty_database) as address:
        standin = StandIn("", address)
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(standin))
        standin.host = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield standin
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@contextmanager
def _running_mlflow(folder: Path, empty_database: Path) -> Iterator[str]:
    """Run ``mlflow server --app-name basic-auth`` with a user for each token, whose password the token is."""
    port, database = free_port(), folder / "mlflow.db"
    database.write_bytes(empty_database.read_bytes())
    configuration = folder / "basic_auth.ini"
    configuration.write_text(
        "[mlflow]\n"
        "default_permission = READ\n"
        f"database_uri = sqlite:///{folder / 'users.db'}\n"
        f"admin_username = {ADMIN[0]}\n"
        "auth_cache_ttl_seconds = 60\n"  # its hash of a password takes a fifth of a second
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    environment = {
        **os.environ,
        "MLFLOW_AUTH_CONFIG_PATH": str(configuration),
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "a key of the tests",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    options = {
        "--app-name": "basic-auth",
        "--host": "127.0.0.1",
        "--port": port,
        "--workers": 1,
        "--backend-store-uri": f"sqlite:///{database}",
        "--artifacts-destination": folder / "artifacts",
    }
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        *(str(part) for item in options.items() for part in item),
    ]
    log, address = folder / "mlflow.log", f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait(server, address, log)
        for name, token in TOKENS.items():
            answer = requests.post(
                f"{address}/api/2.0/mlflow/users/create",
                json={"username": name, "password": token},
                auth=ADMIN,
                timeout=30,
            )
            assert answer.status_code == 200, answer.text
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            if requests.get(f"{address}/health", timeout=2).ok:
                return
        except requests.RequestException:
            pass
        assert server.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.1)


def _handler(standin: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers DagsHub's own calls, and passes those of MLflow on as they are."""

        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

        def answer(self) -> None:
            standin.asked.append((self.command, self.path))
            prefix = f"/{OWNER}/{REPOSITORY}.mlflow"
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.startswith(f"{prefix}/"):
                return self.pass_on(self.path.removeprefix(prefix), body)
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            names = [name for name, held in TOKENS.items() if held == token]
            if not names:
                return self.send(401, {"message": "token is required"})
            if self.path == "/api/v1/user":
                return self.send(200, _user(names[0]))
            if self.path == f"/api/v1/repos/{OWNER}/{REPOSITORY}":
                return self.send(200, _repository(standin.host))
            return self.send(404, {"message": "not found"})

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

        def pass_on(self, path: str, body: bytes) -> None:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            # no session: requests would take a password of its own from the netrc file
            with requests.Session() as session:
                session.trust_env = False
                answer = session.request(
                    self.command, standin.mlflow + path, data=body, headers=headers, timeout=60
                )
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def send(self, status: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _user(name: str) -> dict[str, Any]:
    empty = ("full_name", "avatar_url", "public_email", "website", "company", "description")
    return {"id": 1, "login": name, "username": name} | dict.fromkeys(empty, "")


def _repository(host: str) -> dict[str, Any]:
    counts = ("id", "size", "stars_count", "forks_count", "watchers_count", "open_issues_count")
    flags = ("private", "fork", "empty", "mirror")
    texts = ("description", "html_url", "ssh_url", "website", "default_branch", "created_at", "updated_at")
    return {
        **dict.fromkeys(counts, 0),
        **dict.fromkeys(flags, False),
        **dict.fromkeys(texts, ""),
        "owner": _user(OWNER),
        "name": REPOSITORY,
        "full_name": f"{OWNER}/{REPOSITORY}",
        "clone_url": f"{host}/{OWNER}/{REPOSITORY}.git",
        "parent": None,
    }
