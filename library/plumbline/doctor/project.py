"""A project as rules see it: its modules, and what a name in one of them means.

A name is followed through imports and re-exports to where it is defined: `Depends` is
"fastapi.Depends" whatever a file calls it, and a name that a function binds itself is no import.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from plumbline.doctor.bindings import names_in
from plumbline.doctor.source import Module, Unread, find_files
from plumbline.doctor.templates import later_name
from plumbline.doctor.tree import Function, method

Fact = TypeVar("Fact")

# A file without one of these has nothing that a rule looks for.
_WORDS = re.compile(
    rb"fastapi|starlette|sqlalchemy|sqlmodel|alembic|uvicorn|pydantic_settings|BaseSettings"
    rb"|jwt|jose|passlib|bcrypt|argon2|pwdlib|utcnow|SECRET"
)
_FUNCTIONS = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda})
_DEEPEST = 8  # re-exports and base classes that are followed
# Names of packages that are never a module of the project, though it may have one of that name.
_KNOWN = {
    "fastapi", "starlette", "sqlalchemy", "sqlmodel", "alembic", "pydantic", "pydantic_settings",
    "jwt", "jose", "bcrypt", "passlib", "argon2", "pwdlib", "requests", "httpx", "time", "asyncio",
    "datetime", "subprocess", "os", "urllib", "typing", "contextlib", "functools", "uvicorn",
    "anyio", "redis", "celery", "plumbline",
}  # fmt: skip


@dataclass(frozen=True)
class Definition:
    """Where a name is defined: a function, a class, or the value that is assigned to it."""

    module: Module
    node: Function | ast.ClassDef | ast.expr
    owner: ast.ClassDef | None = None


@dataclass(eq=False)
class Project:
    """All Python files below `root`."""

    root: Path
    excluded: tuple[str, ...] = ()
    unread: list[Unread] = field(default_factory=list)

    @cached_property
    def files(self) -> list[str]:
        return [
            path
            for path in find_files(self.root)
            if not any(Path(path).match(pattern) for pattern in self.excluded)
            and not any(path.startswith(f"{each.rstrip('/')}/") for each in self.excluded)
        ]

    @cached_property
    def by_name(self) -> dict[str, Module]:
        modules = [
            Module(self.root, path, self.unread) for path in self.files if path.endswith(".py")
        ]
        return {module.name: module for module in modules}

    @cached_property
    def modules(self) -> list[Module]:
        """Those that a rule may have something to say of, without tests."""
        code = (each for each in self.by_name.values() if not each.is_test)
        return [each for each in code if _WORDS.search(each.source)]

    @cached_property
    def served(self) -> list[Module]:
        """Those whose code requests run: no tests, scripts, examples or migrations."""
        return [each for each in self.modules if not each.is_aside]

    @cached_property
    def tests(self) -> list[Module]:
        return [each for each in self.by_name.values() if each.is_test]

    @cached_property
    def _by_suffix(self) -> dict[str, list[Module]]:
        found = defaultdict(list)
        for module in self.by_name.values():
            for name in {module.name, later_name(module.path)}:
                parts = name.split(".")
                for start in range(len(parts)):
                    if not start or ".".join(parts[:start]) not in self.by_name:
                        found[".".join(parts[start:])].append(module)
        return found

    def find_module(self, dotted: str, near: Module) -> Module | None:
        """The one that `import dotted` in `near` means, the nearest where there are several."""
        if dotted.partition(".")[0] in _KNOWN:
            return None
        found = self._by_suffix.get(dotted, [])
        return max(found, key=lambda each: _shared(each.name, near.name), default=None)

    def resolve(self, module: Module, node: ast.AST | None) -> str | None:
        """The full dotted name of a Name or an Attribute; None if it is a local value."""
        if not isinstance(node, ast.Name | ast.Attribute):
            return None
        if node not in self._resolved:
            self._resolved[node] = self._resolve(module, node)
        return self._resolved[node]

    @cached_property
    def _resolved(self) -> dict[ast.AST, str | None]:
        return {}

    def _resolve(self, module: Module, node: ast.AST) -> str | None:
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        bound = self._bound_around(module, node)
        if bound is None:
            return None
        return self.canonical(".".join([bound, *reversed(parts)]), module)

    def _bound_around(self, module: Module, node: ast.Name) -> str | None:
        """What the functions around a name, or its module, or Python, bind it to."""
        below: ast.AST = node
        for each in module.above(node):
            if type(each) in _FUNCTIONS and not _is_of_signature(each, below):
                names = self._names_of(module, each)
                if node.id in names:
                    return names[node.id]
            below = each
        return self._bound(module, node.id) or node.id

    @contextmanager
    def once(self, node: ast.AST) -> Iterator[bool]:
        """False where a question about `node` is being answered already: names in a circle."""
        is_first = node not in self._asked
        self._asked.add(node)
        yield is_first
        if is_first:
            self._asked.discard(node)

    @cached_property
    def _asked(self) -> set[ast.AST]:
        return set()

    def remember(self, fact: Callable[["Project"], Fact]) -> Fact:
        """What a function finds out about the project; it is asked once."""
        if fact not in self._facts:
            self._facts[fact] = fact(self)
        return self._facts[fact]  # type: ignore[no-any-return] # by its function

    @cached_property
    def _facts(self) -> dict[Any, Any]:
        return {}

    @cached_property
    def _names(self) -> dict[ast.AST, dict[str, str | None]]:
        return {}

    def _names_of(self, module: Module, function: ast.AST) -> dict[str, str | None]:
        if function not in self._names:
            self._names[function] = dict(names_in(function, module.package))
        return self._names[function]

    def _bound(self, module: Module, name: str) -> str | None:
        """The dotted name that a module's own `name` stands for."""
        bindings = module.bindings
        if name in bindings.defined:
            return f"{module.name}.{name}"
        if name in bindings.imported:
            return bindings.imported[name]
        for starred in bindings.starred:
            other = self.find_module(starred, module)
            if other is not None and name in other.bindings.defined:
                return f"{other.name}.{name}"
        return None

    def canonical(self, dotted: str, near: Module, depth: int = 0) -> str:
        """`dotted` as the module that defines it would call it."""
        if depth > _DEEPEST or dotted.partition(".")[0] in _KNOWN:  # or imports in a circle
            return dotted
        asked = dotted, near
        if asked not in self._canonical:
            self._canonical[asked] = self._follow(dotted, near, depth)
        return self._canonical[asked]

    @cached_property
    def _canonical(self) -> dict[tuple[str, Module], str]:
        return {}

    def _follow(self, dotted: str, near: Module, depth: int) -> str:
        parts = dotted.split(".")
        for end in range(len(parts), 0, -1):
            module = self.find_module(".".join(parts[:end]), near)
            if module is None:
                continue
            if end == len(parts):
                return module.name
            bound = self._bound(module, parts[end])
            rest = parts[end + 1 :]
            here = f"{module.name}.{parts[end]}"
            if bound is None or bound == here:
                return ".".join([here, *rest])
            return self.canonical(".".join([bound, *rest]), module, depth + 1)
        return dotted

    def definition(self, module: Module, node: ast.AST | None) -> Definition | None:
        """Where a Name or an Attribute is defined, if in the project."""
        dotted = self.resolve(module, node)
        return None if dotted is None else self.find(dotted)

    def find(self, dotted: str) -> Definition | None:
        """What a canonical name stands for, a method of a class or of an instance too."""
        if dotted not in self._found:
            self._found[dotted] = self._find(dotted)
        return self._found[dotted]

    @cached_property
    def _found(self) -> dict[str, Definition | None]:
        return {}

    def _find(self, dotted: str) -> Definition | None:
        head, _, last = dotted.rpartition(".")
        module = self.by_name.get(head)
        if module is not None:
            node = module.bindings.defined.get(last)
            return None if node is None else Definition(module, node)
        above = self.find(head) if "." in head else None
        return None if above is None else self.member(above, last)

    def member(self, above: Definition, name: str, depth: int = 0) -> Definition | None:
        """What a class, or an instance of it, has under a name."""
        node, module = above.node, above.module
        if isinstance(node, ast.Call):  # an instance
            made = self.definition(module, node.func)
            if made is None or not isinstance(made.node, ast.ClassDef):
                return None
            node, module = made.node, made.module
        if not isinstance(node, ast.ClassDef):
            return None
        for each in node.body:
            if isinstance(each, Function | ast.ClassDef) and each.name == name:
                return Definition(module, each, node)
        for base in node.bases if depth < _DEEPEST else ():
            found = self.definition(module, base)
            if found is not None and (member := self.member(found, name, depth + 1)):
                return member
        return None

    def called(self, module: Module, call: ast.Call) -> Definition | None:
        """The function of the project that a call runs, `self.method()` too."""
        func = call.func
        if _is_of_self(func):
            owners = (each for each in module.above(call) if isinstance(each, ast.ClassDef))
            owner = next(owners, None)
            return None if owner is None else self.member(Definition(module, owner), method(call))
        found = self.definition(module, func)
        return found if found is not None and isinstance(found.node, Function) else None


def _is_of_self(node: ast.expr) -> bool:
    """`self.method`, or `cls.method`."""
    owner = node.value if isinstance(node, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id in {"self", "cls"}


def _is_of_signature(function: ast.AST, node: ast.AST) -> bool:
    """Defaults, annotations and decorators do not know the names of the function itself."""
    if isinstance(node, ast.arguments):
        return True
    return isinstance(function, Function) and (
        node is function.returns or node in function.decorator_list
    )


def is_one_of(dotted: str | None, packages: str, *names: str) -> bool:
    """Whether `dotted` is one of `names` of one of `packages` ("sqlalchemy sqlmodel")."""
    if dotted is None:
        return False
    return dotted.partition(".")[0] in packages.split() and dotted.rpartition(".")[2] in names


def _shared(one: str, other: str) -> int:
    """How many parts two dotted names begin with alike."""
    count = 0
    for left, right in zip(one.split("."), other.split("."), strict=False):
        if left != right:
            break
        count += 1
    return count
