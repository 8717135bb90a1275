"""A Dockerfile, read: the words of it that ours has."""

import json
import re
from dataclasses import dataclass
from typing import NamedTuple


class Instruction(NamedTuple):
    """As `RUN` and what stands behind it."""

    name: str
    text: str


@dataclass(frozen=True)
class Stage:
    """What is made from one FROM on; `base` is another stage, or an image."""

    base: str
    name: str
    steps: list[Instruction]


def read_stages(text: str) -> list[Stage]:
    """The stages in their order; the last one is the image."""
    stages = list[Stage]()
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            base, _, named = rest.partition(" AS ")
            stages.append(Stage(base, named, []))
        else:
            stages[-1].steps.append(Instruction(name, rest))
    return stages


def command(text: str) -> list[str]:
    """The words of a CMD, ENTRYPOINT or the CMD of a HEALTHCHECK in its JSON form."""
    words = json.loads(text[text.index("[") :])
    assert all(isinstance(word, str) for word in words)
    return list(words)
