"""What lets strangers in, or shows them what is inside."""

import ast
import re
from collections.abc import Iterator

from plumbline.doctor.calls import calls_of
from plumbline.doctor.dependencies import run_by_requests
from plumbline.doctor.finding import Severity
from plumbline.doctor.project import Project, is_one_of
from plumbline.doctor.registry import Fault, fault, rule
from plumbline.doctor.sessions import parameters
from plumbline.doctor.source import Module
from plumbline.doctor.tree import (
    Function,
    argument,
    calls_in,
    constant,
    has_unknown,
    keyword,
    root_name,
    walk,
)

_SECRET = re.compile(
    r"((APP|JWT|AUTH|SESSION|CSRF|COOKIE|API)_)?(SECRET|SECRET_KEY)|(\w+_)?(SIGNING|ENCRYPTION)_KEY"
    r"|JWT_KEY|(\w+_)?SECRET_SIGNING_KEY",
    re.IGNORECASE,
)
_FEWEST_CHARACTERS = 4  # of a value; shorter ones are placeholders that nothing signs with
_DEEPEST = 3  # base classes
_ENVIRONMENT = {"os.getenv", "os.environ.get"}


@rule("PL501", Severity.INSECURE, "a secret has a default")
def secret_with_default(project: Project) -> Iterator[Fault]:
    for module in project.served:
        for node in module.every(ast.AnnAssign):
            value = _default(node.value)
            if (
                isinstance(node.target, ast.Name)
                and _SECRET.fullmatch(node.target.id)
                and _is_value(value)
                and _is_setting(project, module, node)
                and not _is_refused(module, str(value))
            ):
                yield _secret(module, node, node.target.id)
    yield from _from_the_environment(project)


def _from_the_environment(project: Project) -> Iterator[Fault]:
    for each in calls_of(project, "os", "getenv", "get"):
        if each.dotted in _ENVIRONMENT and each.node.args:
            name = constant(each.node.args[0])
            value = constant(argument(each.node, 1, "default"))
            if isinstance(name, str) and _SECRET.fullmatch(name) and _is_value(value):
                yield _secret(each.module, each.node, name)


def _secret(module: Module, node: ast.expr | ast.stmt, name: str) -> Fault:
    return fault(
        module,
        node,
        f"a service that is started without {name} signs with a key that everybody can read here",
    )


def _is_setting(project: Project, module: Module, node: ast.AnnAssign) -> bool:
    above = module.parents.get(node)
    return isinstance(above, ast.ClassDef) and _is_settings(project, module, above, 0)


def _is_settings(project: Project, module: Module, node: ast.ClassDef, depth: int) -> bool:
    for base in node.bases:
        if is_one_of(project.resolve(module, base), "pydantic pydantic_settings", "BaseSettings"):
            return True
        found = project.definition(module, base)
        if (
            found is not None
            and isinstance(found.node, ast.ClassDef)
            and depth < _DEEPEST
            and _is_settings(project, found.module, found.node, depth + 1)
        ):
            return True
    return False


def _default(node: ast.expr | None) -> object:
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Field", "SecretStr"}:
        return _default(argument(node, 0, "default"))
    return constant(node)


def _is_value(value: object) -> bool:
    return isinstance(value, str) and len(value) >= _FEWEST_CHARACTERS


def _is_refused(module: Module, value: str) -> bool:
    """Whether the file names the value a second time: to refuse it, most likely."""
    return (
        module.source.count(f'"{value}"'.encode()) + module.source.count(f"'{value}'".encode()) > 1
    )


@rule("PL502", Severity.INSECURE, "a token never expires")
def token_without_end(project: Project) -> Iterator[Fault]:
    for each in calls_of(project, "jwt jose", "encode"):
        if _has_no_end(each.module, each.node):
            yield fault(
                each.module,
                each.node,
                "this token has no `exp`: once it is stolen, it is good for ever",
            )


def _has_no_end(module: Module, call: ast.Call) -> bool:
    """A literal without `exp`, given as it is or by a name that only that is assigned to."""
    payload = argument(call, 0, "payload") or keyword(call, "claims")
    function = module.function_of(call)
    if isinstance(payload, ast.Name) and function is not None:
        name = payload.id
        if any(
            (isinstance(each, ast.Constant) and each.value in {"exp", "expires"})
            or (isinstance(each, ast.keyword) and each.arg == "exp")
            for each in walk(function)
        ):
            return False
        made = [
            each.value
            for each in walk(function)
            if isinstance(each, ast.Assign)
            and isinstance(each.targets[0], ast.Name)
            and each.targets[0].id == name
        ]
        payload = made[0] if len(made) == 1 else None
    if not isinstance(payload, ast.Dict) or any(key is None for key in payload.keys):
        return False
    return "exp" not in {constant(key) for key in payload.keys}


@rule("PL503", Severity.INSECURE, "every site may send requests with the user's cookies")
def cors_for_all(project: Project) -> Iterator[Fault]:
    for module in project.served:
        if b"CORSMiddleware" not in module.source:
            continue
        for call in module.every(ast.Call):
            named = [call.func, *call.args[:1]]
            if not any(
                is_one_of(project.resolve(module, each), "fastapi starlette", "CORSMiddleware")
                for each in named
            ):
                continue
            if constant(keyword(call, "allow_credentials")) is True and _is_all(
                project, module, call
            ):
                yield fault(
                    module,
                    call,
                    "with credentials, `*` means that each site is answered as if it were named: it"
                    " acts as the user who visits it",
                )


def _is_all(project: Project, module: Module, call: ast.Call) -> bool:
    if constant(keyword(call, "allow_origin_regex")) in {".*", "https?://.*", ".+"}:
        return True
    origins = keyword(call, "allow_origins")
    found = project.definition(module, origins)
    if found is not None and isinstance(found.node, ast.expr):
        origins = found.node
    if isinstance(origins, ast.Name):  # of the function itself
        function = module.function_of(call)
        made = [
            each.value
            for each in (walk(function) if function else ())
            if isinstance(each, ast.Assign)
            and isinstance(each.targets[0], ast.Name)
            and each.targets[0].id == origins.id
        ]
        origins = made[0] if len(made) == 1 else None
    return isinstance(origins, ast.List | ast.Tuple) and "*" in map(constant, origins.elts)


@rule("PL504", Severity.INSECURE, "errors show the code to those who cause them")
def debug_in_production(project: Project) -> Iterator[Fault]:
    for each in calls_of(project, "fastapi", "FastAPI"):
        debug = keyword(each.node, "debug")
        if debug is not None and constant(debug) is True:
            yield fault(
                each.module,
                debug,
                "debug=True answers each error with its traceback and the code around it",
            )


@rule("PL506", Severity.INSECURE, "a token is believed without its signature")
def token_not_verified(project: Project) -> Iterator[Fault]:
    for module, function, is_asked in run_by_requests(project):
        decoded = [
            call
            for call in calls_in(function)
            if is_one_of(project.resolve(module, call.func), "jwt jose", "decode")
        ]
        trusted = [call for call in decoded if _is_unverified(call) and _is_sent(function, call)]
        if is_asked and trusted and len(trusted) == len(decoded):
            yield fault(
                module,
                trusted[0],
                f"`{function.name}` believes what the caller sends: everybody can write a token",
            )
    for each in calls_of(project, "jose", "decode"):
        has_algorithms = argument(each.node, 2, "algorithms") is not None
        if not has_algorithms and not has_unknown(each.node) and not _is_unverified(each.node):
            yield fault(
                each.module,
                each.node,
                "without `algorithms`, the token says how it is to be checked: name those that are"
                " in use",
            )


def _is_sent(function: Function, call: ast.Call) -> bool:
    """Whether the token is a parameter: `token`, `credentials.credentials`."""
    names = {arg.arg for arg, _ in parameters(function)}
    return bool(call.args) and root_name(call.args[0]) in names


def _is_unverified(call: ast.Call) -> bool:
    options = keyword(call, "options")
    if not isinstance(options, ast.Dict):
        return False
    return any(
        constant(key) == "verify_signature" and constant(value) is False
        for key, value in zip(options.keys, options.values, strict=True)
    )
