"""Passwords of the local services: generated once, in a file that only its owner reads."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from nearcast.errors import ServiceError

SECRETS_FILE = "secrets.json"


def _password() -> str:
    return secrets.token_urlsafe(24)


def _fernet_key() -> str:
    """Return 32 random bytes as Fernet (github.com/fernet/spec) takes them."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True, repr=False)
class Secrets:
    """The passwords of one home; each is 24 random bytes in URL-safe letters."""

    postgres_superuser: str = field(default_factory=_password)
    postgres_writer: str = field(default_factory=_password)
    postgres_reader: str = field(default_factory=_password)
    aws_secret_access_key: str = field(default_factory=_password)
    airflow_postgres: str = field(default_factory=_password)
    airflow_admin: str = field(default_factory=_password)
    airflow_jwt_secret: str = field(default_factory=_password)
    airflow_secret_key: str = field(default_factory=_password)
    airflow_fernet_key: str = field(default_factory=_fernet_key)


def load_secrets(home: Path) -> Secrets:
    """Return the passwords of ``home``; made and written (mode 0600) when there are none.

    Raises
    ------
    ServiceError
        The file cannot be read as what this function writes.
    """
    path = home / SECRETS_FILE
    try:
        values = json.loads(path.read_text())
        # The superuser's alone is set when the cluster is made; a home from before another was needed gets it now.
        if not {"postgres_superuser"} <= values.keys() <= {item.name for item in fields(Secrets)}:
            raise KeyError("postgres_superuser")
        made = Secrets(**values)
        if asdict(made) != values:
            store_secrets(home, made)
    except FileNotFoundError:
        made = Secrets()
        store_secrets(home, made)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ServiceError(
            f"{path} is damaged ({type(error).__name__}: {error}).",
            kept="Nothing was started.",
            todo="Restore it; without its passwords the database of this home cannot be opened.",
        ) from error
    else:
        path.chmod(0o600)
    return made


def store_secrets(home: Path, secrets: Secrets) -> None:
    """Write the passwords of ``home``, in place of those that were there."""
    _write_private(home / SECRETS_FILE, json.dumps(asdict(secrets), indent=1))


def _write_private(path: Path, text: str) -> None:
    """Write in one step: a crash leaves the whole file or none."""
    temporary = path.with_suffix(".tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
