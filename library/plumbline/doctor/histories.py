"""The migrations of a project: which follows which, and what is newest."""

import ast
import re
from collections import defaultdict

from plumbline.doctor.project import Project
from plumbline.doctor.source import Module
from plumbline.doctor.tree import constant

_FOLDER = re.compile(r"(^|/)versions/")
Script = tuple[Module, ast.stmt, str, tuple[str, ...]]


def histories(project: Project) -> list[list[Script]]:
    """The scripts of each folder of versions, without those that are branches on purpose.

    Folders in it, as for each year, belong to it if they follow one another.
    """
    folders: dict[str, list[Script]] = defaultdict(list)
    marked = set()
    for path, module in ((each.path, each) for each in project.by_name.values()):
        found = _FOLDER.search(path)
        if found is None or "{{" in path or b"down_revision" not in module.source:
            continue
        folder, script = path[: found.end()], _script(module)
        labels = module.bindings.defined.get("branch_labels")
        if script is None or (labels is not None and ast.unparse(labels) != "None"):
            marked.add(folder)
        else:
            folders[folder].append(script)
    return [
        scripts
        for folder, scripts in folders.items()
        if folder not in marked and sum(not follows for *_, follows in scripts) <= 1
    ]


def _script(module: Module) -> Script | None:
    names = module.bindings.defined
    revision, below = constant(names.get("revision")), names.get("down_revision")
    if not isinstance(revision, str) or below is None:
        return None
    if isinstance(below, ast.Tuple | ast.List):
        follows = tuple(str(constant(each)) for each in below.elts)
    else:
        if not isinstance(below, ast.Constant):
            return None
        follows = (str(below.value),) if below.value is not None else ()
    line = next(each for each in module.tree.body if names["revision"] in ast.walk(each))
    return module, line, revision, follows


def heads(scripts: list[Script]) -> dict[str, tuple[Module, ast.stmt]]:
    """The revisions that none follows, each with its line in its script."""
    followed = {each for _, _, _, follows in scripts for each in follows}
    return {
        revision: (module, line)
        for module, line, revision, _ in scripts
        if revision not in followed
    }


def newest_scripts(project: Project) -> list[Module]:
    """The head of each history that has just one: what is older has run, and cannot be changed."""
    ends = [heads(scripts) for scripts in project.remember(histories)]
    return [module for each in ends if len(each) == 1 for module, _ in each.values()]
