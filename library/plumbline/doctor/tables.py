"""The models of a project: their tables, their columns, and what is unique in them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from plumbline.doctor.project import Definition, Project, is_one_of
from plumbline.doctor.sessions import SQLALCHEMY
from plumbline.doctor.source import Module
from plumbline.doctor.tree import constant, keyword

_DEEPEST = 6  # base classes
_COLUMNS = ("Column", "mapped_column", "Field")
_PLAIN_BASES = (
    "DeclarativeBase", "DeclarativeBaseNoMeta", "SQLModel", "AsyncAttrs", "MappedAsDataclass",
    "Generic", "object", "ABC", "Protocol",
)  # fmt: skip


@dataclass(eq=False)
class Model:
    """A class with a table; `unique` without its key. `is_whole`: all its bases are known."""

    module: Module
    node: ast.ClassDef
    table: str | None
    columns: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    unique: set[str] = field(default_factory=set)
    updated: set[str] = field(default_factory=set)
    roots: list[Definition] = field(default_factory=list)
    is_whole: bool = True


def models(project: Project) -> dict[ast.AST, Model]:
    """Those of code that requests run, by their class."""
    return project.remember(_models)


def _models(project: Project) -> dict[ast.AST, Model]:
    found: dict[ast.AST, Model] = {}
    for module in project.served:
        if b"__tablename__" not in module.source and b"table=True" not in module.source:
            continue
        for node in module.every(ast.ClassDef):
            if (name := _table_name(node)) is not None:
                model = found[node] = Model(module, node, name or None)
                _inherit(project, module, node, model, 0)
    return found


def _table_name(node: ast.ClassDef) -> str | None:
    """Empty where it is not a literal; None where the class has no table of its own."""
    for each in node.body:
        target = each.targets[0] if isinstance(each, ast.Assign) else None
        target = each.target if isinstance(each, ast.AnnAssign) else target
        if isinstance(target, ast.Name) and target.id == "__tablename__":
            value = constant(getattr(each, "value", None))
            return value if isinstance(value, str) else ""
    is_table = any(each.arg == "table" and constant(each.value) is True for each in node.keywords)
    return node.name.lower() if is_table else None


def _inherit(
    project: Project, module: Module, node: ast.ClassDef, model: Model, depth: int
) -> None:
    _read_body(project, module, node, model)
    for base in node.bases:
        written = base.value if isinstance(base, ast.Subscript) else base
        found = project.definition(module, written)
        if found is not None and isinstance(found.node, ast.ClassDef) and depth < _DEEPEST:
            if any(
                is_one_of(project.resolve(found.module, each), SQLALCHEMY, "DeclarativeBase")
                for each in found.node.bases
            ):
                model.roots.append(found)
            _inherit(project, found.module, found.node, model, depth + 1)
        elif found is not None and isinstance(found.node, ast.Call):
            model.roots.append(found)  # the base is the value of a call
        elif str(project.resolve(module, written)).rpartition(".")[2] not in _PLAIN_BASES:
            model.is_whole = False


def _read_body(project: Project, module: Module, node: ast.ClassDef, model: Model) -> None:
    for name, value, annotation in _assigned(node):
        if name == "__table_args__":
            model.unique.update(_unique_together(value))
        elif isinstance(value, ast.Call) and is_one_of(
            project.resolve(module, value.func), SQLALCHEMY, *_COLUMNS
        ):
            _read_column(model, name, ast.unparse(value) + _alias(project, module, annotation))
        elif value is None and annotation is not None and "Mapped[" in ast.unparse(annotation):
            _read_column(model, name, _alias(project, module, annotation))


def _read_column(model: Model, name: str, said: str) -> None:
    model.columns.add(name)
    if "unique=True" in said:
        model.unique.add(name)
    if "primary_key=True" in said:
        model.keys.add(name)
    if "onupdate=" in said:
        model.updated.add(name)


def _alias(project: Project, module: Module, annotation: ast.expr | None) -> str:
    """What an `Annotated` says that an annotation names."""
    said = []
    for each in ast.walk(annotation) if annotation is not None else ():
        if isinstance(each, ast.Name):
            found = project.definition(module, each)
            if found is not None and isinstance(found.node, ast.Subscript):
                said.append(ast.unparse(found.node))
    return " ".join(said)


def _assigned(
    node: ast.ClassDef,
) -> Iterator[tuple[str, ast.AST | None, ast.expr | None]]:
    for each in node.body:
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
            yield each.targets[0].id, each.value, None
        elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            yield each.target.id, each.value, each.annotation
        elif isinstance(each, ast.FunctionDef):
            yield each.name, each, None


def _unique_together(node: ast.AST | None) -> Iterator[str]:
    """All names within a UniqueConstraint, or an Index that is unique."""
    for each in ast.walk(node) if node is not None else ():
        if not isinstance(each, ast.Call):
            continue
        made = ast.unparse(each.func)
        if made.endswith(("UniqueConstraint", "PrimaryKeyConstraint")) or (
            made.endswith("Index") and constant(keyword(each, "unique")) is True
        ):
            for inner in ast.walk(each):
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    yield inner.value
                elif isinstance(inner, ast.Name):
                    yield inner.id
                elif isinstance(inner, ast.Attribute):
                    yield inner.attr
