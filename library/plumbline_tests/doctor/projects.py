"""Small projects for the doctor, written into a folder."""

import re
from pathlib import Path

from plumbline.doctor.configuration import Configuration
from plumbline.doctor.diagnosis import Diagnosis, diagnose
from plumbline.doctor.rules import RULES

MARK = re.compile(r"# (PL\d\d\d)\b")


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def look(folder: Path, files: dict[str, str]) -> Diagnosis:
    """What all rules say of a project that has just these files."""
    return diagnose(write(folder, files), RULES, Configuration())


def found(folder: Path, files: dict[str, str]) -> list[tuple[str, str, int]]:
    """Code, file and line of each finding."""
    return sorted((each.code, each.path, each.place.line) for each in look(folder, files).findings)


def marked(files: dict[str, str]) -> list[tuple[str, str, int]]:
    """What `# PL001` at the end of lines says that there is to find."""
    return sorted(
        (code, name, number)
        for name, text in files.items()
        for number, line in enumerate(text.splitlines(), start=1)
        for code in MARK.findall(line)
    )
