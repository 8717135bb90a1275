"""What the files of a project are, for the answers that were given."""

import json
import re
import tomllib
from dataclasses import MISSING, asdict, dataclass, fields, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, StrictUndefined

from plumbline.errors import OperatorError
from plumbline.template.source import Template

SUFFIX = ".jinja"
EXECUTABLE = b"#!"

License = Literal["MIT", "proprietary"]


@dataclass(frozen=True)
class Answers:
    """What is asked when a project is made; `[tool.plumbline]` of its pyproject.toml keeps it.

    `wheel` is the file name of the library in `vendor/`, or "" where an index has it; `container`
    says whether there are files to build an image and to deploy it.
    """

    version: str
    name: str
    author: str
    license: License
    year: int
    wheel: str
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
        return Answers(**_known(kept["tool"]["plumbline"]))
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        raise OperatorError(
            "no project that `plumbline new` has made is here: its pyproject.toml "
            "has a table [tool.plumbline] with version, name, author, license, year and wheel"
        ) from None


def _known(kept: dict[str, Any]) -> dict[str, Any]:
    """What a version before did not ask is as if nobody had said anything."""
    asked = [each for each in fields(Answers) if each.default is MISSING or each.name in kept]
    return {each.name: kept[each.name] for each in asked}


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
        text = rendered[line["file"]].decode()
        if text.count(line["old"]) != 1:  # a defect of the template
            raise ValueError(f"{line['file']} has not one line {line['old']!r}")
        new = environment.from_string(line["new"]).render(given)
        rendered[line["file"]] = text.replace(line["old"], new).encode()
    return rendered


def _wanted(template: Template, answers: Answers) -> dict[str, bytes]:
    """The files of the service but for what an answer leaves out."""
    given = asdict(answers)
    left_out = [each for name, each in template.optional.items() if not given[name]]
    patterns = [pattern for each in left_out for pattern in each]
    return {
        path: content
        for path, content in template.service.items()
        if not any(fnmatch(path, pattern) for pattern in patterns)
    }


def write(files: dict[str, bytes], into: Path) -> None:
    """Write them; those that begin with `#!` can be run."""
    for path, content in files.items():
        file = into / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        if content.startswith(EXECUTABLE):
            file.chmod(0o755)
