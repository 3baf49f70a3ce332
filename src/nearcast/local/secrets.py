"""Passwords of the local services: generated once, in a file that only its owner reads."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from nearcast.errors import ServiceError

SECRETS_FILE = "secrets.json"


def _password() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, repr=False)
class Secrets:
    """The passwords of one home; each is 24 random bytes in URL-safe letters."""

    postgres_superuser: str = field(default_factory=_password)
    postgres_writer: str = field(default_factory=_password)
    postgres_reader: str = field(default_factory=_password)
    aws_secret_access_key: str = field(default_factory=_password)


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
        made = Secrets(**{item.name: values[item.name] for item in fields(Secrets)})
    except FileNotFoundError:
        made = Secrets()
        _write_private(path, json.dumps(asdict(made), indent=1))
    except (ValueError, KeyError, TypeError) as error:
        raise ServiceError(
            f"{path} is damaged ({type(error).__name__}: {error}).",
            kept="Nothing was started.",
            todo="Restore it; without its passwords the database of this home cannot be opened.",
        ) from error
    else:
        path.chmod(0o600)
    return made


def _write_private(path: Path, text: str) -> None:
    """Write in one step: a crash leaves the whole file or none."""
    temporary = path.with_suffix(".tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
