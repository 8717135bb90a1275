"""Run the doctor over checkouts of repositories.toml, and count what was read by hand.

`python -m benchmarks.doctor.run FOLDER`: FOLDER has each repository at its commit, in a folder
whose name is that of the repository with `+` in place of `/`. README.md says how to bring them.
"""

import csv
import sys
import tomllib
from collections import Counter
from pathlib import Path
from time import process_time
from typing import NamedTuple

from plumbline.doctor.configuration import Configuration
from plumbline.doctor.diagnosis import diagnose
from plumbline.doctor.rules import RULES

HERE = Path(__file__).parent


class Place(NamedTuple):
    """Where a finding is."""

    repository: str
    code: str
    path: str
    line: int


def read_judged() -> dict[Place, str]:
    """What a person has said of each finding that was read: right or wrong."""
    with (HERE / "judged.csv").open(newline="") as file:
        return {
            Place(row["repository"], row["code"], row["path"], int(row["line"])): row["verdict"]
            for row in csv.DictReader(file)
        }


def find(folder: Path) -> tuple[set[Place], int]:
    """All findings, without what the repositories themselves configure; and how many files."""
    repositories = tomllib.loads((HERE / "repositories.toml").read_text())["repositories"]
    found, files = set(), 0
    for name in repositories:
        root = folder / name.replace("/", "+")
        if not root.is_dir():
            sys.exit(f"{root} is not there: README.md says how to bring it")
        diagnosis = diagnose(root, RULES, Configuration())
        files += diagnosis.files
        for each in diagnosis.findings:
            found.add(Place(name, each.code, each.path, each.place.line))
    return found, files


def main(folder: Path) -> None:
    """Print the table, and what has been read and is no longer found."""
    (found, files), judged = find(folder), read_judged()
    seconds = process_time()
    counts = Counter(each.code for each in found)
    verdicts = Counter((each.code, verdict) for each, verdict in judged.items() if each in found)
    print("| rule | severity | findings | read | right | wrong |\n|---|---|---|---|---|---|")
    for rule in RULES:
        right, wrong = verdicts[rule.code, "right"], verdicts[rule.code, "wrong"]
        print(
            f"| {rule.code} {rule.sentence} | {rule.severity.words} | {counts[rule.code]}"
            f" | {right + wrong} | {right} | {wrong} |"
        )
    right, wrong = (sum(verdicts[rule.code, each] for rule in RULES) for each in ("right", "wrong"))
    print(f"| all | | {len(found)} | {right + wrong} | {right} | {wrong} |")
    print(f"\n{files:,} Python files in {seconds:.1f} s of CPU time, one process")
    for each, verdict in judged.items():
        if each not in found:
            print(f"no longer found: {each} ({verdict})", file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
