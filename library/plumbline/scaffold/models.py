"""The models that a service has, read from their files: nothing of the service is imported."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import OperatorError
from plumbline.scaffold.names import resource_name
from plumbline.scaffold.project import Plan, Project


@dataclass(frozen=True)
class Model:
    """A class of `db/models/`; `key` is the annotation of its `id`, None where it has none."""

    name: str  # as in book
    class_name: str
    table: str
    file: Path
    attributes: frozenset[str]
    key: str | None


def models_of(plan: Plan, project: Project) -> dict[str, Model]:
    """Those of the service, as they will be, by name."""
    return find_models(plan.sources(project.path("db/models")))


def find_models(sources: Mapping[Path, str]) -> dict[str, Model]:
    """Those in these files, by name; OperatorError for a file that is no Python."""
    found = (model for file in sorted(sources) for model in _models_in(file, sources[file]))
    return {model.name: model for model in found}


def parse(file: Path, text: str) -> ast.Module:
    """The syntax tree; OperatorError for a file that is no Python."""
    try:
        return ast.parse(text, str(file))
    except (SyntaxError, ValueError) as error:
        raise OperatorError(f"{file} cannot be read: {error}") from error


def _models_in(file: Path, text: str) -> Iterator[Model]:
    for node in parse(file, text).body:
        if isinstance(node, ast.ClassDef) and (table := _table_of(node)) is not None:
            annotations = {
                each.target.id: ast.unparse(each.annotation)
                for each in node.body
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            }
            names = frozenset(annotations)
            name = resource_name(node.name)
            yield Model(name, node.name, table, file, names, annotations.get("id"))


def _table_of(node: ast.ClassDef) -> str | None:
    for each in node.body:
        match each:
            case ast.Assign(targets=[ast.Name("__tablename__")], value=ast.Constant(str(table))):
                return table
    return None
