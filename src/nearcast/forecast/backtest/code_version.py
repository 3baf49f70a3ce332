"""Which code a model's answers came from: a hash of its module and of what that imports."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import nearcast

if TYPE_CHECKING:
    from nearcast.forecast.backtest.model import Model

PACKAGE = Path(nearcast.__file__).parent


def code_version(model: Model) -> str:
    """Return the SHA-256 of the sources that a model's answers depend on.

    They are the model's module, the package that holds it, and every module of Nearcast that these import,
    directly or not; and its parameters, when it is a dataclass. A change anywhere else keeps stored answers.
    """
    module = sys.modules[type(model).__module__]
    start = Path(str(module.__file__))
    found = {start, start.with_name("__init__.py")} if start.is_relative_to(PACKAGE) else {start}
    waiting = [start]
    while waiting:
        for path in set(_imported(waiting.pop())) - found:
            found.add(path)
            waiting.append(path)
    digest = hashlib.sha256(repr(getattr(model, "__dataclass_fields__", None) and model).encode())
    for path in sorted(path for path in found if path.exists()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _imported(path: Path) -> Iterator[Path]:
    """Yield the files of Nearcast's modules that a file imports at any place."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] == nearcast.__name__:
                yield from _files(name)


def _files(name: str) -> Iterator[Path]:
    place = PACKAGE.joinpath(*name.split(".")[1:])
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    yield from (path for path in candidates if path.is_file())
