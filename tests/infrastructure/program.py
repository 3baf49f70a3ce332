"""The product's source as a program: its modules, what a name in one of them means, and what a function reaches."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
BODY, SCRIPT = "<body>", "<script>"
"""The symbols of a module's statements that define nothing: they run when it is imported, or when it is the script."""
NOT_ON_AWS = ("nearcast.local", "nearcast.bench")
"""What stands in for AWS on one machine, and what is measured there."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass
class Module:
    """A parsed file."""

    name: str
    path: str
    tree: ast.Module
    symbols: dict[str, list[ast.AST]] = field(default_factory=dict)
    """Its statements by the name that they define; `BODY` has the others."""
    imports: dict[str, str] = field(default_factory=dict)
    """Imported names, those of imports within functions too, and what they stand for: ``nearcast.aws.client``."""

    def __post_init__(self) -> None:
        for statement in self.tree.body:
            for name in _defined(statement):
                self.symbols.setdefault(name, []).append(statement)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for one in node.names:
                    head = one.asname or one.name.partition(".")[0]
                    self.imports[head] = one.name if one.asname else head
            elif isinstance(node, ast.ImportFrom):
                for one in node.names:
                    self.imports[one.asname or one.name] = f"{node.module}.{one.name}"

    @cached_property
    def parents(self) -> Mapping[ast.AST, ast.AST]:
        """The node that holds each node."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def functions_around(self, node: ast.AST) -> Iterator[Function]:
        """Yield the functions that hold a node, the innermost first."""
        while (node := self.parents.get(node, self.tree)) is not self.tree:
            if isinstance(node, Function):
                yield node

    def scope(self, node: ast.AST, name: str) -> ast.AST:
        """Return the function to which a name is local, or the module's tree."""
        return next((one for one in self.functions_around(node) if name in bound(one)), self.tree)

    def class_around(self, node: ast.AST) -> ast.ClassDef | None:
        """Return the innermost class that holds a node."""
        while (node := self.parents.get(node, self.tree)) is not self.tree:
            if isinstance(node, ast.ClassDef):
                return node
        return None


def _defined(statement: ast.stmt) -> list[str]:
    """Return the names that a statement of a module defines."""
    if isinstance(statement, Definition):
        return [statement.name]
    if isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'":
        return [SCRIPT]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)] or [
        BODY
    ]


def parameters(function: Function) -> set[str]:
    """Return the names of a function's parameters."""
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return {one.arg for one in every if one}


@cache
def bound(function: Function) -> set[str]:
    """Return the names that are local to a function: parameters and what it assigns, not what it imports."""
    names = parameters(function)
    if isinstance(function, ast.Lambda):
        return names
    return names | {
        node.id for node in _own(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions and classes in it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, Definition | ast.Lambda):
            yield child
            yield from _own(child)


class Program:
    """Modules that know each other."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self.modules = {module.name: module for module in modules}

    def meaning(self, module: Module, dotted: str) -> str | None:
        """Return what a name (``aws.client``) means in a module.

        ``nearcast.aws:client`` for a symbol of the program, ``nearcast.aws`` for a module of it, ``boto3.client``
        for what is neither; None for a name that the module does not import or define.
        """
        head, _, rest = dotted.partition(".")
        if head in module.symbols:
            return None if rest else f"{module.name}:{head}"
        if head not in module.imports:
            return None
        full = f"{module.imports[head]}.{rest}".rstrip(".")
        if full in self.modules:
            return full
        owner, _, name = full.rpartition(".")
        if owner not in self.modules:
            return full
        if name in self.modules[owner].symbols:
            return f"{owner}:{name}"
        return self.meaning(self.modules[owner], name)

    def symbol(self, meaning: str | None) -> tuple[Module, list[ast.AST]] | None:
        """Return the module and the statements of a symbol of the program."""
        module, _, name = (meaning or "").partition(":")
        if not name or module not in self.modules or name not in self.modules[module].symbols:
            return None
        return self.modules[module], self.modules[module].symbols[name]

    def reached(self, entry_points: Iterable[str]) -> set[str]:
        """Return the symbols that running the entry points may run: all that their code names, and so on.

        An entry point is ``module:symbol``, or ``module:*`` for all symbols of a module. A class is reached with all
        its methods, and a module whose symbol is reached, or that is imported there, with what it runs when it is
        imported.
        """
        waiting = []
        for entry in entry_points:
            module, _, name = entry.partition(":")
            found = self.modules[module].symbols
            if name != "*" and name not in found:
                raise LookupError(f"{module} has no {name}")
            waiting += [f"{module}:{one}" for one in (found if name == "*" else [name])]
        done: set[str] = set()
        while waiting:
            symbol = waiting.pop()
            if symbol in done or self.symbol(symbol) is None:
                continue
            done.add(symbol)
            waiting += self._named(symbol)
        return done

    @cache  # noqa: B019
    def _named(self, symbol: str) -> list[str]:
        found = self.symbol(symbol)
        assert found is not None
        module, statements = found
        named = [f"{module.name}:{BODY}"]
        for node in (node for statement in statements for node in ast.walk(statement)):
            meaning = None
            if isinstance(node, ast.Name | ast.Attribute) and (dotted := dotted_name(node)):
                meaning = self.meaning(module, dotted)
            elif isinstance(node, ast.ImportFrom):
                named += [f"{node.module}:{BODY}"]
                named += [f"{node.module}.{one.name}:{BODY}" for one in node.names]
            if meaning:
                named.append(meaning)
        return named


def dotted_name(node: ast.AST) -> str | None:
    """Return ``a.b.c`` of names and attributes, None of anything else."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def load_program(*excluded: str, root: Path = ROOT) -> Program:
    """Parse the package and the DAGs, without the packages ``excluded``."""
    modules = []
    for folder, prefix in ((root / "src", ""), (root / "dags", "dags.")):
        for path in sorted(folder.rglob("*.py")):
            name = prefix + ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
            if not any(name == one or name.startswith(f"{one}.") for one in excluded):
                modules.append(Module(name, str(path.relative_to(root)), ast.parse(path.read_text())))
    return Program(modules)


@cache
def product() -> Program:
    """Return the program of the parts that run on AWS or against it."""
    return load_program(*NOT_ON_AWS)
