"""Models: what they load, what they expire, and what their times mean."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from plumbline.doctor.calls import Called, calls_of
from plumbline.doctor.finding import Edit, Place, Severity
from plumbline.doctor.manifests import requirements
from plumbline.doctor.project import Project, is_one_of
from plumbline.doctor.registry import Fault, fault, rule
from plumbline.doctor.sessions import SQLALCHEMY, kind_of_type
from plumbline.doctor.source import Module
from plumbline.doctor.tree import argument, constant, has_unknown, keyword

_COLUMNS = ("Column", "mapped_column")
_OTHER_DATABASES = {"pymysql", "aiomysql", "mysqlclient", "asyncmy", "mysql-connector-python"}
_Families = dict[ast.ClassDef, list[ast.ClassDef]]
_FETCHES = re.compile(r"eager_defaults[\"']?\s*[:=]\s*True")
_POSTGRESQL = {"asyncpg", "psycopg", "psycopg2", "psycopg2-binary", "psycopg-binary"}


def _is_async_project(project: Project) -> bool:
    """Whether sessions are async: an async factory or an async engine."""
    return any(
        b"create_async_engine" in module.source or b"async_sessionmaker" in module.source
        for module in project.served
    )


@rule("PL301", Severity.HAZARD, "objects cannot be read after the commit")
def expire_on_commit(project: Project) -> Iterator[Fault]:
    made = calls_of(project, SQLALCHEMY, "async_sessionmaker", "AsyncSession", "sessionmaker")
    for each in made:
        module, call = each.module, each.node
        if (
            _makes_async_sessions(project, each)
            and not has_unknown(call)
            and constant(keyword(call, "expire_on_commit") or ast.Constant(value=True)) is True
        ):
            yield fault(
                module,
                call.func,
                "commit() expires every object, and reading one again is a SELECT without an"
                " await: MissingGreenlet",
                edit=_with_argument(module, call),
            )


def _makes_async_sessions(project: Project, made: Called) -> bool:
    if not made.dotted.endswith(".sessionmaker"):
        return True
    return kind_of_type(project, made.module, keyword(made.node, "class_")) == "async"


def _with_argument(module: Module, call: ast.Call) -> Edit | None:
    said = keyword(call, "expire_on_commit")
    if said is not None:
        return Edit(module.place(said), "False")
    given = [*call.args, *(each.value for each in call.keywords)]
    if not given or call.lineno != call.end_lineno:
        return None
    at = module.place(max(given, key=lambda each: each.end_col_offset or 0))
    place = Place(at.end_line, at.end_column, at.end_line, at.end_column)
    return Edit(place, ", expire_on_commit=False")


@rule("PL302", Severity.HAZARD, "a relationship loads when it is read")
def lazy_relationship(project: Project) -> Iterator[Fault]:
    if not _is_async_project(project):
        return
    lazy: dict[Module, list[ast.Call]] = defaultdict(list)
    for each in calls_of(project, SQLALCHEMY, "relationship", "Relationship"):
        if not has_unknown(each.node) and _loads_when_read(each.node):
            lazy[each.module].append(each.node)
    for module, calls in lazy.items():
        more = f", and {len(calls) - 1} more in this file" if len(calls) > 1 else ""
        yield fault(
            module,
            min(calls, key=lambda each: each.lineno),
            f"reading it outside of a query that loads it is MissingGreenlet in async code{more}",
        )


def _loads_when_read(call: ast.Call) -> bool:
    lazy = keyword(call, "lazy")
    if (
        keyword(call, "viewonly") is not None
        or "lazy" in ast.unparse(call).partition("sa_relationship_kwargs")[2]
    ):
        return False
    return lazy is None or constant(lazy) in {"select", True}


@rule("PL303", Severity.HAZARD, "a time without a zone")
def naive_time(project: Project) -> Iterator[Fault]:
    if _is_on_another_database(project):
        return
    for each in calls_of(project, SQLALCHEMY, *_COLUMNS):
        yield from _naive_column(project, each.module, each.node)
    for each in calls_of(project, "datetime", "utcnow", "utcfromtimestamp"):
        yield fault(
            each.module,
            each.node.func,
            f"{each.dotted.rpartition('.')[2]}() gives a time without a zone, which is taken for"
            " the local time of each machine that reads it",
        )


def _is_on_another_database(project: Project) -> bool:
    known = {name for _, name, _ in project.remember(requirements)}
    return bool(known & _OTHER_DATABASES) and not known & _POSTGRESQL


def _naive_column(project: Project, module: Module, call: ast.Call) -> Iterator[Fault]:
    for given in [*call.args[:2], *(each.value for each in call.keywords if each.arg == "type_")]:
        made = given.func if isinstance(given, ast.Call) else given
        if not is_one_of(project.resolve(module, made), SQLALCHEMY, "DateTime", "TIMESTAMP"):
            continue
        zone = argument(given, 0, "timezone") if isinstance(given, ast.Call) else None
        if constant(zone) is not True and (zone is None or isinstance(zone, ast.Constant)):
            yield fault(
                module,
                given,
                "this column forgets the zone: what is read is another instant on each machine",
            )


@rule("PL304", Severity.HAZARD, "constraints have no names")
def no_naming_convention(project: Project) -> Iterator[Fault]:
    if not any(path.endswith("alembic.ini") or "alembic" in path for path in project.files):
        return
    if any(b"naming_convention" in module.source for module in project.modules):
        return
    for module in project.served:
        for node in module.every(ast.ClassDef):
            if any(
                is_one_of(project.resolve(module, base), SQLALCHEMY, "DeclarativeBase")
                for base in node.bases
            ):
                yield _unnamed(module, node)
    for each in calls_of(project, SQLALCHEMY, "declarative_base"):
        yield _unnamed(each.module, each.node)


def _unnamed(module: Module, node: ast.ClassDef | ast.Call) -> Fault:
    return fault(
        module,
        node,
        "without a naming_convention, a migration cannot drop or change a constraint by a name that"
        " is the same in all databases",
    )


@rule("PL305", Severity.HAZARD, "a value that the database sets cannot be read after an update")
def value_set_by_the_server(project: Project) -> Iterator[Fault]:
    if not _is_async_project(project):
        return
    for each in calls_of(project, SQLALCHEMY, *_COLUMNS):
        changed = keyword(each.node, "onupdate")
        made = changed.func if isinstance(changed, ast.Call) else None
        if is_one_of(
            project.resolve(each.module, made), SQLALCHEMY, "now", "current_timestamp"
        ) and not _is_fetched(project, each):
            yield fault(
                each.module,
                each.node.func,
                "an UPDATE leaves this attribute expired, and reading it is MissingGreenlet:"
                " PostgreSQL has the value, and nobody has fetched it",
            )


def _is_fetched(project: Project, column: Called) -> bool:
    """By `eager_defaults` of each model that has the column, as it inherits its arguments."""
    owner = next((a for a in column.module.above(column.node) if isinstance(a, ast.ClassDef)), None)
    if owner is None:
        return True
    above, below = project.remember(_families)
    concerned = _reached(owner, below)
    models = [each for each in concerned if not below.get(each)]
    return all(_FETCHES.search(_mapper_arguments(each, above)) for each in models)


def _mapper_arguments(node: ast.ClassDef, above: _Families) -> str:
    """The text of the first `__mapper_args__` on its way up, and of those that this takes on."""
    for each in node.body:
        named = each.targets[0] if isinstance(each, ast.Assign) else each
        named = named.target if isinstance(named, ast.AnnAssign) else named
        if "__mapper_args__" in (getattr(named, "id", ""), getattr(named, "name", "")):
            text = ast.unparse(each)
            if text.count("__mapper_args__") == 1:
                return text
    return " ".join(_mapper_arguments(each, above) for each in above.get(node, ()))


def _families(project: Project) -> tuple[_Families, _Families]:
    """What each class of the project inherits from, and what inherits from it."""
    above: _Families = defaultdict(list)
    below: _Families = defaultdict(list)
    for module in project.served:
        for node in module.every(ast.ClassDef):
            for base in node.bases:
                found = project.definition(module, base)
                if found is not None and isinstance(found.node, ast.ClassDef):
                    above[node].append(found.node)
                    below[found.node].append(node)
    return above, below


def _reached(start: ast.ClassDef, steps: _Families) -> list[ast.ClassDef]:
    found = [start]
    for each in found:
        found.extend(one for one in steps.get(each, ()) if one not in found)
    return found
