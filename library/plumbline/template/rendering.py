"""What the files of a project are, for the answers that were given."""

import json
import re
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from jinja2 import Environment, StrictUndefined

from plumbline.errors import OperatorError
from plumbline.template.source import Template

SUFFIX = ".jinja"
EXECUTABLE = b"#!"

License = Literal["MIT", "proprietary"]


@dataclass(frozen=True)
class Answers:
    """What is asked when a project is made; `[tool.plumbline]` of its pyproject.toml keeps it.

    `wheel` is the file name of the library in `vendor/`, or "" where an index has it. `posts` is
    whether the example is there, with which users write posts, and `container` whether the files
    are there that build an image and deploy it.
    """

    version: str
    name: str
    author: str
    license: License
    year: int
    wheel: str
    posts: bool = True
    container: bool = True

    def __post_init__(self) -> None:
        if not self.name.isprintable() or not self.slug:
            raise OperatorError("a name is one line with a letter or digit from a-z or 0-9 in it")
        if not self.author.isprintable():
            raise OperatorError("the author is one line")
        if self.license not in {"MIT", "proprietary"}:
            raise OperatorError("the license is MIT or proprietary")

    @property
    def slug(self) -> str:
        """The name as a distribution is called: `Book Shop!` is `book-shop`."""
        return "-".join(re.findall(r"[a-z0-9]+", self.name.lower()))

    def of(self, template: Template, wheel: Path | None) -> "Answers":
        """The same for another version of the template, and of the library."""
        return replace(self, version=template.version, wheel=wheel.name if wheel else "")


def read_answers(folder: Path) -> Answers:
    """Those of the project in `folder`; OperatorError where there are none."""
    try:
        kept = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        known = kept["tool"]["plumbline"]
        names = {field.name for field in fields(Answers)}
        return Answers(**{name: value for name, value in known.items() if name in names})
    except (OSError, KeyError, TypeError, tomllib.TOMLDecodeError):
        raise OperatorError(
            "no project that `plumbline new` has made is here: its pyproject.toml "
            "has a table [tool.plumbline] with version, name, author, license, year and wheel"
        ) from None


def render(template: Template, answers: Answers) -> dict[str, bytes]:
    """The files of a project, by path; `vendor/` is not among them."""
    environment = Environment(  # noqa: S701 - no HTML
        undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["quoted"] = lambda text: json.dumps(text, ensure_ascii=False)
    given = asdict(answers) | {"slug": answers.slug}
    rendered = _wanted(template, answers)
    for path, content in template.overlay.items():
        if path.endswith(SUFFIX):
            made = environment.from_string(content.decode()).render(given)
            rendered[path.removesuffix(SUFFIX)] = made.encode()
        else:
            rendered[path] = content
    for line in template.lines:
        if line["file"] not in rendered:
            continue
        new = environment.from_string(line["new"]).render(given)
        _replace(rendered, line["file"], line["old"], new)
    return rendered


def _wanted(template: Template, answers: Answers) -> dict[str, bytes]:
    """The files of the service but for what an answer leaves out."""
    service = template.service if answers.posts else _without_posts(template)
    given = asdict(answers)
    left_out = [each for name, each in template.optional.items() if not given[name]]
    patterns = [pattern for each in left_out for pattern in each]
    return {
        path: content
        for path, content in service.items()
        if not any(fnmatch(path, pattern) for pattern in patterns)
    }


def _without_posts(template: Template) -> dict[str, bytes]:
    """The service without its example: files, lines of others, and names of files less."""
    gone, renamed = {*template.without_posts["files"]}, template.without_posts["renamed"]
    left = {path: content for path, content in template.service.items() if path not in gone}
    for line in template.without_posts["lines"]:
        _replace(left, line["file"], line["old"], line.get("new", ""))
    return {renamed.get(path, path): content for path, content in left.items()}


def _replace(files: dict[str, bytes], path: str, old: str, new: str) -> None:
    text = files[path].decode()
    if text.count(old) != 1:  # a defect of the template
        raise ValueError(f"{path} has not once {old!r}")
    files[path] = text.replace(old, new).encode()


def write(files: dict[str, bytes], into: Path) -> None:
    """Write them; those that begin with `#!` can be run."""
    for path, content in files.items():
        file = into / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        if content.startswith(EXECUTABLE):
            file.chmod(0o755)
