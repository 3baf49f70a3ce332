"""The saved queries: ``sql/athena/NAME.sql``, each with a first line that says what it gives."""

from __future__ import annotations

from pathlib import Path

from nearcast.errors import LakeError


def saved_queries() -> dict[str, str]:
    """Return what each saved query gives, by its name."""
    return {
        path.stem: path.read_text().partition("\n")[0].removeprefix("-- ")
        for path in sorted(_folder().glob("*.sql"))
    }


def saved_query(name: str) -> str:
    """Return the SQL of a saved query. Raises LakeError when there is none of this name."""
    names = list(saved_queries())
    if name not in names:
        raise LakeError(f"There is no saved query {name!r}.", todo=f"Choose one of {', '.join(names)}.")
    return (_folder() / f"{name}.sql").read_text()


def _folder() -> Path:
    """Return the folder of the queries: in the package when installed from a wheel, else the checkout's."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "sql"
    return (installed if installed.is_dir() else package.parents[1] / "sql") / "athena"
