"""compose.yaml as the tests read it: merged, its variables filled in, each service's command complete."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
COMPOSE, DOCKERFILE, EXAMPLE = ROOT / "compose.yaml", ROOT / "Dockerfile", ROOT / ".env.example"
OWN_IMAGE = re.compile(r"nearcast:.+")
VARIABLE = re.compile(r"\$\{(\w+)([^}]*)\}")

Service = dict[str, Any]


def read(text: str) -> dict[str, Any]:
    """Return a YAML document with its merge keys resolved."""
    document: dict[str, Any] = json.loads(json.dumps(YAML(typ="safe").load(text)))
    return document


def services(variables: dict[str, str] | None = None) -> dict[str, Service]:
    """Return the services by name; with ``variables``, each ``${NAME:?…}`` is replaced by its value."""
    text = COMPOSE.read_text()
    if variables is not None:
        text = VARIABLE.sub(lambda match: variables[match[1]], text)
    found: dict[str, Service] = read(text)["services"]
    return found


def example_variables() -> dict[str, str]:
    """Return the variables of .env.example and what it gives each."""
    lines = (line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def is_own(service: Service) -> bool:
    """Tell whether a service runs the project's image."""
    return bool(OWN_IMAGE.fullmatch(service["image"]))


def is_one_shot(service: Service) -> bool:
    """Tell whether a service ends by itself."""
    return bool(service.get("restart") == "no")


def own_services() -> dict[str, Service]:
    """Return those with the project's image, but for the one that only holds the network."""
    return {name: item for name, item in services().items() if is_own(item) and name != "namespace"}


def command(service: Service) -> list[str]:
    """Return what a container of the project's image executes: entrypoint and command."""
    return [*service.get("entrypoint", image_entrypoint()), *service["command"]]


def image_entrypoint() -> list[str]:
    """Return the Dockerfile's ENTRYPOINT."""
    match = re.search(r"^ENTRYPOINT (\[.*\])$", DOCKERFILE.read_text(), re.MULTILINE)
    assert match, "the Dockerfile has no ENTRYPOINT in exec form"
    words: list[str] = json.loads(match[1])
    return words


def started_with(name: str) -> list[str]:
    """Return ``name`` and all that must be ready before it, those first."""
    found: list[str] = []
    for needed in services()[name].get("depends_on", {}):
        found += [item for item in started_with(needed) if item not in found]
    return [*found, name]
