"""Every call of boto3 in a program, found in its syntax trees; what cannot be followed is an error.

A client is followed from where it is made, through variables, attributes, properties, parameters and results of the
program's own functions and classes, paginators and waiters, to the operations that are called on it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TypeVar

from tests.infrastructure.models import Service, service_named
from tests.infrastructure.program import BODY, Function, Module, Program, dotted_name

Key = TypeVar("Key")
MAKERS = ("nearcast.aws:client", "boto3.client")
TRANSFERS = {
    "upload_file": ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"),
    "upload_fileobj": ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"),
    "download_file": ("HeadObject", "GetObject"),
    "download_fileobj": ("HeadObject", "GetObject"),
}
"""Operations of boto3's transfers (s3transfer); a multipart upload that fails is aborted too."""
ABORTED = "AbortMultipartUpload"


@dataclass(frozen=True)
class Kind:
    """What an expression is: a client; with an operation, a paginator or waiter of it."""

    service: str
    operation: str | None = None
    run_by: str = ""
    """The method that calls the operation: ``paginate`` or ``wait``."""


@dataclass(frozen=True)
class Call:
    """An operation that is called, or a reference to its method; ``node`` is None then."""

    service: str
    operation: str
    place: str
    symbol: str
    module: Module
    node: ast.Call | None
    how: str

    def __str__(self) -> str:
        return f"{self.place}: {self.service} {self.operation}"


@dataclass(frozen=True)
class Found:
    """All calls, the places where clients are made, and what could not be followed."""

    calls: list[Call]
    makers: list[str]
    problems: list[str]


def find_calls(program: Program) -> Found:
    """Return the boto3 calls of a program."""
    return _Finder(program).find()


class _Finder:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.names: dict[tuple[ast.AST, str], set[Kind]] = {}
        """Variables and parameters by the function (or module) that they are local to."""
        self.attributes: dict[tuple[ast.ClassDef, str], set[Kind]] = {}
        self.results: dict[Function, set[Kind]] = {}
        """What functions of a module return."""
        self.members: dict[str, set[Kind]] = {}
        """What methods and properties return, by their names alone: whose they are is not known."""
        self.changed = False
        self.calls: list[Call] = []
        self.makers: dict[str, None] = {}
        self.problems: dict[str, None] = {}

    def find(self) -> Found:
        self.changed = True
        while self.changed:
            self.changed = False
            self.calls, self.makers, self.problems = [], {}, {}
            for module in self.program.modules.values():
                for node in ast.walk(module.tree):
                    if isinstance(node, ast.expr) and (kinds := self.kinds(module, node)):
                        self.follow(module, node, kinds)
                    elif isinstance(node, ast.Name | ast.Attribute):
                        self.reference(module, node)
        return Found(self.calls, list(self.makers), list(self.problems))

    def kinds(self, module: Module, node: ast.AST) -> set[Kind]:
        """Return what clients, paginators and waiters an expression can be."""
        if isinstance(node, ast.Call):
            return self.made(module, node)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            return self.names.get((module.scope(node, node.id), node.id), set())
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            owner, property_of = module.class_around(node), self.members.get(f"{node.attr} of", set())
            if owner and isinstance(node.value, ast.Name) and node.value.id == "self":
                return self.attributes.get((owner, node.attr), set()) | property_of
            return property_of
        if isinstance(node, ast.IfExp):
            return self.kinds(module, node.body) | self.kinds(module, node.orelse)
        return set()

    def made(self, module: Module, node: ast.Call) -> set[Kind]:
        """Return the client, paginator or waiter that a call makes."""
        if self.callee(module, node.func) in MAKERS:
            self.makers[f"{module.path}:{node.lineno}:{node.col_offset}"] = None
            service = _literal(node)
            if module.name == "nearcast.aws":
                return set()  # the one function that makes the product's clients takes any service
            if service is None or service_named(service) is None:
                self.problem(module, node, "a client of a service that cannot be told")
                return set()
            return {Kind(service)}
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("get_paginator", "get_waiter"):
            return {
                made
                for kind in self.kinds(module, node.func.value)
                if kind.operation is None and (made := self.derived(module, node, kind)) is not None
            }
        if isinstance(node.func, ast.Attribute) and node.func.attr in self.members:
            return self.members[node.func.attr]
        function = self.called(module, node)
        return self.results.get(function, set()) if function is not None else set()

    def derived(self, module: Module, node: ast.Call, kind: Kind) -> Kind | None:
        """Return the paginator or waiter of a client."""
        name, service = _literal(node), self.service(kind)
        assert isinstance(node.func, ast.Attribute)
        operation = None
        if name is not None:
            of = service.paginated if node.func.attr == "get_paginator" else service.waited
            operation = of(name)
        if operation is None:
            self.problem(module, node, f"{kind.service} has no such {node.func.attr.removeprefix('get_')}")
            return None
        return Kind(kind.service, operation, "paginate" if node.func.attr == "get_paginator" else "wait")

    def service(self, kind: Kind) -> Service:
        service = service_named(kind.service)
        assert service is not None
        return service

    def follow(self, module: Module, node: ast.expr, kinds: set[Kind]) -> None:
        """See what becomes of a client; it may go nowhere where it could not be followed."""
        parent = module.parents[node]
        if isinstance(parent, ast.Attribute):
            self.member(module, parent, kinds)
        elif isinstance(parent, ast.Assign | ast.AnnAssign):
            targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
            for target in targets:
                self.assign(module, target, kinds)
        elif isinstance(parent, ast.Tuple) and isinstance(holder := module.parents[parent], ast.Assign):
            for target in holder.targets:
                same = isinstance(target, ast.Tuple) and len(target.elts) == len(parent.elts)
                one = (
                    target.elts[parent.elts.index(node)] if same and isinstance(target, ast.Tuple) else target
                )
                self.assign(module, one, kinds)
        elif isinstance(parent, ast.Call):
            self.argument(module, parent, node, None, kinds)
        elif isinstance(parent, ast.keyword) and isinstance(call := module.parents[parent], ast.Call):
            self.argument(module, call, node, parent.arg, kinds)
        elif isinstance(parent, ast.Return):
            self.returned(module, parent, kinds)
        elif not isinstance(parent, ast.IfExp | ast.Expr):
            self.problem(module, node, "a client goes where it is not followed")

    def returned(self, module: Module, node: ast.Return, kinds: set[Kind]) -> None:
        """Let the calls of a function, or the uses of a property, be clients."""
        function = next(module.functions_around(node))
        holder = module.parents[function]
        if isinstance(holder, ast.ClassDef) and not isinstance(function, ast.Lambda):
            is_property = any("property" in ast.unparse(one) for one in function.decorator_list)
            # A name with a space is no method's.
            self.bind(self.members, f"{function.name} of" if is_property else function.name, kinds)
        elif holder is module.tree:
            self.bind(self.results, function, kinds)
        else:
            self.problem(module, node, "a client goes where it is not followed")

    def assign(self, module: Module, target: ast.expr, kinds: set[Kind]) -> None:
        owner = module.class_around(target)
        if isinstance(target, ast.Name):
            self.bind(self.names, (module.scope(target, target.id), target.id), kinds)
        elif isinstance(target, ast.Attribute) and dotted_name(target) == f"self.{target.attr}" and owner:
            self.bind(self.attributes, (owner, target.attr), kinds)
        else:
            self.problem(module, target, "a client goes where it is not followed")

    def bind(self, table: dict[Key, set[Kind]], key: Key, kinds: set[Kind]) -> None:
        held = table.setdefault(key, set())
        if not kinds <= held:
            held |= kinds
            self.changed = True

    def argument(
        self, module: Module, call: ast.Call, node: ast.expr, name: str | None, kinds: set[Kind]
    ) -> None:
        """Bind a client that is passed to the parameter of a function or class of the program."""
        if isinstance(call.func, ast.Name) and call.func.id == "getattr" and call.args[0] is node:
            self.looked_up(module, call, kinds)
            return
        function = self.called(module, call)
        if function is None:
            self.problem(module, node, "a client is passed to what is not of the program")
            return
        parameters = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
        if parameters[:1] == ["self"]:
            parameters = parameters[1:]
        if name is None:
            position = call.args.index(node)
            spread = any(isinstance(one, ast.Starred) for one in call.args[:position])
            name = parameters[position] if not spread and position < len(parameters) else None
        if name not in [*parameters, *(one.arg for one in function.args.kwonlyargs)]:
            self.problem(module, node, "a client is passed to a parameter that cannot be told")
            return
        self.bind(self.names, (function, name), kinds)

    def looked_up(self, module: Module, call: ast.Call, kinds: set[Kind]) -> None:
        """Record ``getattr(client, name)``: any operation that a text of the module names may be it."""
        texts = {
            n.value for n in ast.walk(module.tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
        }
        outer = module.parents[call]
        run = outer if isinstance(outer, ast.Call) and outer.func is call else None
        for kind in kinds:
            methods = self.service(kind).methods
            named = sorted(texts & methods.keys()) if kind.operation is None else []
            for name in named:
                self.record(module, call, kind.service, methods[name], run, "call")
            if not named:
                self.problem(module, call, "a client's method that cannot be told")

    def called(self, module: Module, call: ast.Call) -> Function | None:
        """Return the function, or the class's constructor, that a call runs."""
        dotted, owner = dotted_name(call.func) or "", module.class_around(call)
        statements: list[ast.AST] = []
        if dotted.startswith("self.") and owner is not None:
            statements = [one for one in owner.body if getattr(one, "name", None) == dotted[5:]]
        elif found := self.program.symbol(self.callee(module, call.func)):
            statements = found[1]
        for one in statements:
            if isinstance(one, ast.ClassDef):
                return next((f for f in one.body if isinstance(f, Function) and f.name == "__init__"), None)
            if isinstance(one, Function):
                return one
        return None

    def callee(self, module: Module, node: ast.expr) -> str | None:
        """Return what a called expression means, None for a local variable's attribute."""
        dotted = dotted_name(node)
        if dotted is None or module.scope(node, dotted.partition(".")[0]) is not module.tree:
            return None
        return self.program.meaning(module, dotted)

    def reference(self, module: Module, node: ast.Name | ast.Attribute) -> None:
        """See that a function that returns a client is called where it is named, not handed on."""
        parent = module.parents[node]
        if isinstance(parent, ast.Attribute) or (isinstance(parent, ast.Call) and parent.func is node):
            return
        found = self.program.symbol(self.callee(module, node)) if self.results else None
        if found and any(one in self.results for one in found[1]):
            self.problem(module, node, "a function that returns a client goes where it is not followed")

    def member(self, module: Module, node: ast.Attribute, kinds: set[Kind]) -> None:
        """Record what is called on a client, a paginator or a waiter."""
        parent = module.parents[node]
        call = parent if isinstance(parent, ast.Call) and parent.func is node else None
        for kind in kinds:
            service, name = self.service(kind), node.attr
            if kind.operation is not None:
                if name == kind.run_by:
                    self.record(module, node, kind.service, kind.operation, call, name)
                else:
                    self.problem(module, node, f"{name} of a paginator or waiter")
            elif kind.service == "s3" and name in TRANSFERS:
                for operation in (*TRANSFERS[name], *([ABORTED] if "upload" in name else [])):
                    self.record(module, node, kind.service, operation, call, name)
            elif name in ("get_paginator", "get_waiter"):
                pass  # `made` follows it
            elif called := service.operation_of(name):
                self.record(module, node, kind.service, called, call, "call")
            elif name != "exceptions":
                self.problem(module, node, f"{kind.service} has no operation {name}")

    def record(
        self, module: Module, node: ast.AST, service: str, operation: str, call: ast.Call | None, how: str
    ) -> None:
        place = f"{module.path}:{getattr(node, 'end_lineno', 0)}"
        symbol = self.symbol_around(module, node)
        self.calls.append(Call(service, operation, place, symbol, module, call, how))

    def symbol_around(self, module: Module, node: ast.AST) -> str:
        top = node
        while module.parents.get(top, module.tree) is not module.tree:
            top = module.parents[top]
        names = [name for name, statements in module.symbols.items() if top in statements]
        return f"{module.name}:{names[0] if names else BODY}"

    def problem(self, module: Module, node: ast.AST, text: str) -> None:
        self.problems[f"{module.path}:{getattr(node, 'lineno', 0)}: {text}"] = None


def _literal(call: ast.Call) -> str | None:
    """Return a call's first argument when the source says what text it is."""
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
