"""What a statement is: recognised when it is submitted, so that mistakes in it are refused at once.

Athena speaks Trino's grammar for queries and Hive's for most definitions; sqlglot's athena dialect knows
which is which. Statements that it leaves alone are matched here by patterns.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from nearcast.local.gateway.athena_results import Result
from nearcast.local.gateway.athena_workgroups import PRIMARY
from nearcast.local.gateway.hooks import AwsError

if TYPE_CHECKING:
    from sqlglot import exp

    from nearcast.local.gateway.athena_query import Session

DML, DDL, UTILITY = "DML", "DDL", "UTILITY"
PART = r"(?:`[^`]+`|\"[^\"]+\"|[\w$-]+)"
NAME = rf"(?P<name>{PART}(?:\.{PART}){{0,2}})"
OTHER = (
    *("UPDATE", "DELETE", "MERGE", "EXPLAIN", "GRANT", "REVOKE", "PREPARE", "EXECUTE"),
    *("DEALLOCATE", "VACUUM", "OPTIMIZE", "ANALYZE", "ALTER", "DROP", "SHOW", "DESCRIBE", "DESC", "MSCK"),
)
"""First words of statements that Athena knows, in a form that is not supported here."""
VALIDATE = re.compile(r"EXPLAIN\s*\(\s*TYPE\s+VALIDATE\s*\)\s*", re.I)
UNSUPPORTED = "Queries of this type are not supported"
LEADING = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*", re.DOTALL)


@dataclass(frozen=True)
class Context:
    """Where a statement runs: its session, the result's address, its id, a folder to write files in."""

    session: Session
    output_location: str
    query_id: str
    scratch: str


@dataclass(frozen=True)
class Statement:
    """A statement that was understood.

    Parameters
    ----------
    sql
        Its text, without a final semicolon.
    type, substatement
        Athena's StatementType (DML, DDL, UTILITY) and SubstatementType.
    run
        What it does.
    """

    sql: str
    type: str
    substatement: str
    run: Callable[[Context], Result]

    @property
    def writes(self) -> bool:
        """Return whether it writes objects of its own in place of a result."""
        return self.substatement in ("CREATE_TABLE_AS_SELECT", "INSERT", "UNLOAD")


def malformed(message: str) -> AwsError:
    """Return the error for a statement that Athena does not take."""
    return AwsError("InvalidRequestException", message)


def recognise(text: str, parameters: list[str] | None = None, workgroup: str = PRIMARY) -> Statement:
    """Understand a statement. Raises AwsError (InvalidRequestException) when it is malformed or not supported.

    Parameters
    ----------
    text
        The statement.
    parameters
        Values for its question marks (ExecutionParameters), each an SQL literal.
    workgroup
        Where prepared statements are kept.
    """
    from nearcast.local.gateway import athena_prepared

    sql = text.strip().removesuffix(";").rstrip()
    words = LEADING.sub("", sql, count=1).upper().split(None, 3)
    if not words:
        raise malformed("Query string cannot be empty")
    if words[0] == "EXECUTE" and (held := athena_prepared.executed(sql, parameters or [], workgroup)):
        return recognise(*held, workgroup)
    prepared = athena_prepared.definition(sql, workgroup)
    if prepared:
        return prepared
    if validated := VALIDATE.match(sql):
        return _validation(sql, sql[validated.end() :], parameters or [])
    if words[0] in ("SELECT", "WITH", "VALUES"):
        return _query(sql, parameters or [])
    if words[0] in ("INSERT", "UNLOAD"):
        return (_insert if words[0] == "INSERT" else _unload)(sql, parameters or [])
    if words[0] == "CREATE":
        return _create(sql, parameters or [])
    _refuse_parameters(parameters)
    return _matched(sql)


def parse(sql: str) -> Any:
    """Parse one statement. Raises AwsError with the place of a mistake."""
    import sqlglot
    from sqlglot.errors import ParseError, TokenError

    try:
        trees = [tree for tree in sqlglot.parse(sql, read="athena") if tree is not None]
    except ParseError as error:
        first = error.errors[0]
        place = f"line {first['line']}:{first['col']}"
        raise malformed(
            f"{place}: mismatched input '{first['highlight']}': {first['description']}"
        ) from error
    except TokenError as error:
        raise malformed(f"line 1:1: {error}") from error
    _refuse_trailing_comma(sql)
    if len(trees) != 1:
        raise malformed(f"Only one sql statement is allowed. Got: {sql}")
    return trees[0]


def _refuse_trailing_comma(sql: str) -> None:
    """Refuse a comma that nothing follows: sqlglot overlooks it."""
    from sqlglot import TokenType, tokenize

    ends = {TokenType.FROM, TokenType.R_PAREN, TokenType.WHERE, TokenType.ORDER_BY, TokenType.GROUP_BY}
    tokens = tokenize(sql, read="athena")
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.token_type is TokenType.COMMA and (following is None or following.token_type in ends):
            place = following or token
            raise malformed(f"line {place.line}:{place.col}: mismatched input '{place.text}'")


def identifier(name: str) -> tuple[str, str]:
    """Split a table's name into database ("" when not given) and table, lower case and without quotes."""
    parts = [part.strip('`"').lower() for part in re.findall(PART, name)]
    return (parts[-2] if len(parts) > 1 else ""), parts[-1]


def _query(sql: str, parameters: list[str]) -> Statement:
    tree = _parsed_query(sql, parameters)
    return Statement(sql, DML, "SELECT", lambda context: context.session.select(tree, sql))


def _parsed_query(sql: str, parameters: list[str]) -> exp.Expr:
    from sqlglot import exp

    tree = parse(sql)
    if not isinstance(tree, (exp.Query, exp.Values)):
        raise malformed(UNSUPPORTED)
    if "`" in re.sub(r"'[^']*'", "", sql):
        raise malformed("backquoted identifiers are not supported; use double quotes to quote identifiers")
    return _with_parameters(tree, parameters)


def _validation(sql: str, query: str, parameters: list[str]) -> Statement:
    """EXPLAIN (TYPE VALIDATE): whether a query can run. There is no plan of Trino's to show here."""
    tree = _parsed_query(query, parameters)
    return Statement(sql, UTILITY, "EXPLAIN", lambda context: context.session.validate(tree, query))


def _insert(sql: str, parameters: list[str]) -> Statement:
    from sqlglot import exp

    from nearcast.local.gateway import athena_insert

    tree = _with_parameters(parse(sql), parameters)
    if not isinstance(tree, exp.Insert) or tree.args.get("overwrite") or tree.args.get("partition"):
        raise malformed("mismatched input. Expecting: INSERT INTO table [(columns)] query")
    return Statement(sql, DML, "INSERT", lambda context: athena_insert.insert(context, tree, sql))


def _unload(sql: str, parameters: list[str]) -> Statement:
    from nearcast.local.gateway import athena_unload

    run = athena_unload.recognise_unload(sql, lambda tree: _with_parameters(tree, parameters))
    return Statement(sql, DML, "UNLOAD", run)


def _refuse_parameters(parameters: list[str] | None) -> None:
    if parameters:
        raise malformed("Parameters are only supported in SELECT, INSERT INTO, CREATE TABLE AS and UNLOAD")


def _with_parameters(tree: exp.Expr, parameters: list[str]) -> exp.Expr:
    from sqlglot import exp

    marks = sorted(
        (node for node in tree.find_all(exp.Placeholder)), key=lambda node: node.meta.get("start", 0)
    )
    if len(marks) != len(parameters):
        raise malformed(f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}")
    if len(marks) > 1 and not all("start" in node.meta for node in marks):
        marks = [node for node in tree.dfs() if isinstance(node, exp.Placeholder)]
    for mark, value in zip(marks, parameters, strict=True):
        mark.replace(parse(f"SELECT {value}").expressions[0])
    return tree


def _create(sql: str, parameters: list[str]) -> Statement:
    from nearcast.local.gateway import athena_ctas, athena_ddl

    view = re.match(
        rf"CREATE\s+(?P<replace>OR\s+REPLACE\s+)?VIEW\s+{NAME}\s+AS\s+(?P<query>.*)", sql, re.I | re.S
    )
    if view:
        _refuse_parameters(parameters)
        tree = _with_parameters(parse(view["query"]), [])
        return Statement(sql, DDL, "CREATE_VIEW", lambda context: athena_ddl.create_view(context, view, tree))
    database = re.fullmatch(
        rf"CREATE\s+(?:DATABASE|SCHEMA)\s+(?P<exists>IF\s+NOT\s+EXISTS\s+)?{NAME}", sql, re.I
    )
    if database:
        return Statement(
            sql, DDL, "CREATE_DATABASE", lambda context: athena_ddl.create_database(context, database)
        )
    tree = parse(sql)
    if tree.args.get("kind") != "TABLE":
        raise malformed(UNSUPPORTED)
    if tree.expression:
        tree = _with_parameters(tree, parameters)
        return Statement(
            sql, DML, "CREATE_TABLE_AS_SELECT", lambda context: athena_ctas.create(context, tree, sql)
        )
    _refuse_parameters(parameters)
    if not re.match(r"CREATE\s+EXTERNAL\s", sql, re.I):
        raise malformed("External keyword required for table type HIVE")
    return Statement(sql, DDL, "CREATE_TABLE", lambda context: athena_ddl.create_table(context, tree))


def _matched(sql: str) -> Statement:
    from nearcast.local.gateway import athena_alter, athena_ddl, athena_show, athena_show_create

    modules = (athena_ddl, athena_alter, athena_show, athena_show_create)
    for pattern, statement_type, substatement, action in chain.from_iterable(m.STATEMENTS for m in modules):
        found = re.fullmatch(pattern, sql, re.I | re.S)
        if found:
            return Statement(
                sql,
                statement_type,
                substatement,
                lambda context, action=action, found=found: action(context, found),  # type: ignore[misc]
            )
    word = LEADING.sub("", sql, count=1).split(None, 1)[0]
    raise malformed(UNSUPPORTED if word.upper() in OTHER else f"line 1:1: mismatched input '{word}'")
