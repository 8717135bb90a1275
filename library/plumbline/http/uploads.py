"""Forms with files: who asks is checked before the body is taken in, which goes to disk.

FastAPI parses a form before it solves dependencies, so that anybody could fill the disk. Here it
gets an empty form first, and `take_in`, the last of a route's `dependencies=[…]`, fills it: rules
come before it, and what the route's parameters ask for, such as a session, after it.

Files are Starlette's UploadFile: a temporary file without a name, which the system removes when
nobody has it open, also when the process is killed.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_parameterless_sub_dependant
from fastapi.routing import APIRoute, RouteContext
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser

from plumbline.db.pool import open_session
from plumbline.errors import Malformed
from plumbline.http.body_limits import MULTIPART, own_limits
from plumbline.http.commit_order import pairs

Handle = Callable[[Request], Awaitable[Response]]

# Where a router or the application says no `form_limits`: what one form may keep in memory.
LIMITS = {"max_files": 20, "max_fields": 100, "max_part_size": 65_536}
_HELD = (
    "a transaction is open while an upload comes, as long as its sender likes: let what is in "
    "dependencies=[…] give its connection back, and ask for the session as a parameter"
)


class _Parser(MultiPartParser):
    spool_max_size = 65_536  # bytes of each file that stay in memory
    is_whole = False

    def on_end(self) -> None:
        self.is_whole = True

    async def parse(self) -> FormData:
        """Also refuses what ends without its last boundary: half a file would be none."""
        form = await super().parse()
        if not self.is_whole:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("The form ends before its last part does.")
        return form


class _Upload(Request):
    """A request whose form is empty until `take_in`."""

    texts: list[str]
    _filled: FormData
    _form_limits: dict[str, Any]

    async def form(self, **limits: Any) -> FormData:  # type: ignore[override] # noqa: ANN401 - FastAPI awaits it
        """As Starlette's, at first without its fields."""
        if not hasattr(self, "_filled"):
            self._filled, self._form_limits = FormData(), {**LIMITS, **limits}
        return self._filled

    async def take_in(self) -> None:
        """Malformed for what is no form, or has too many parts."""
        if self.headers.get("content-type", "").lower().startswith(MULTIPART):
            parser = _Parser(self.headers, self.stream(), **self._form_limits)
            try:
                form = await parser.parse()
            except MultiPartException as error:
                raise Malformed(error.message) from error
        else:  # without files, or not a form at all
            form = await super().form(**self._form_limits)
        FormData.__init__(self._filled, form)
        self.texts.extend(value for _, value in form.multi_items() if isinstance(value, str))


async def take_in(request: Request) -> None:
    """Let the form of the request come."""
    if isinstance(request, _Upload):
        session = open_session.get()
        if session is not None and session.in_transaction():
            raise RuntimeError(_HELD)
        await request.take_in()


def take_in_after_rules(route: APIRoute) -> None:
    """Put it behind the route's `dependencies=[…]`; who includes the router adds others before."""
    if any(each.dependency is take_in for each in route.dependencies):
        return
    place, depends = len(route.dependencies), Depends(take_in)
    route.dependencies.append(depends)
    late = get_parameterless_sub_dependant(depends=depends, path=route.path_format)
    route.dependant.dependencies.insert(place, late)


async def handle_upload(request: Request, handle: Handle, texts: list[str]) -> Response:
    """`handle`, with a form that comes later; its `texts` are those of its fields."""
    upload = _Upload(request.scope, request.receive)
    upload.texts = texts
    return await handle(upload)


def require_uploads_on_disk(app: FastAPI) -> None:
    """RuntimeError for a route with a limit of its own that takes a whole file as `bytes`."""
    for context, limit in own_limits(app.routes):
        if limit.is_streamed:
            for each in [context.dependant, *(below for _, below in pairs(context.dependant))]:
                _refuse_bytes(context, each)


def _refuse_bytes(context: RouteContext, dependant: Dependant) -> None:
    for field in dependant.body_params:
        if bytes in _parts(field.field_info.annotation):
            raise RuntimeError(
                f"{context.path}: `{field.name}: bytes` is a whole file in memory: write UploadFile"
            )


def _parts(annotation: Any) -> set[Any]:  # noqa: ANN401 - as written
    """Itself, and what it is made of: of `list[bytes] | None`."""
    inner = getattr(annotation, "__args__", ())
    return {annotation}.union(*map(_parts, inner))
