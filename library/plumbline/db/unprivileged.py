"""As whom PostgreSQL runs when we are root: it refuses to be root."""

import os
import subprocess
from pathlib import Path

from plumbline.errors import OperatorError

NOBODY = 65534
PROBE_SECONDS = 30
# Both must be within reach: the folder around the data, and all programs (initdb starts another).
PROBE = 'cd "$1" && exec "$2" --show -D unused >/dev/null'


def plain_environment() -> dict[str, str]:
    """English messages, UTC, and none of the user's PG... variables."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def give_up_root(data_dir: Path, initdb: Path) -> list[str]:
    """Give the command prefix that turns root into the folder's owner, or nobody.

    All that is in the folder becomes that user's. OperatorError when the machine allows no way.
    """
    obstacles = []
    for owner, prefix in _ways(data_dir):
        obstacle = _find_obstacle([*prefix, "/bin/sh", "-c", PROBE, "probe"], data_dir, initdb)
        if obstacle is None:
            _give(data_dir, *owner)
            return prefix
        obstacles.append(obstacle)
    raise OperatorError(
        f"PostgreSQL refuses to run as root, and here root cannot start it as another user "
        f"({'; '.join(dict.fromkeys(obstacles))}): run as an ordinary user, or set DATABASE_URL"
    )


def _ways(data_dir: Path) -> list[tuple[tuple[int, int], list[str]]]:
    """Owner of the folder and command prefix, the least privilege first."""
    found = data_dir.stat()
    uid, gid = (found.st_uid, found.st_gid) if found.st_uid else (NOBODY, NOBODY)
    user = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
    # To pass folders such as /root; root has it in Docker too. access(2), by which initdb looks for
    # its programs, ignores it (capabilities(7)) unless the other bit is set.
    keep = "-all,+dac_override"
    keeping = [f"--inh-caps={keep}", f"--ambient-caps={keep}", "--securebits=+no_setuid_fixup"]
    # In a user namespace root has another number for PostgreSQL, and stays the owner of its files.
    namespace = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"]
    return [
        ((uid, gid), [*user, "--inh-caps=-all"]),
        ((uid, gid), [*user, *keeping]),
        ((0, 0), namespace),
    ]


def _find_obstacle(probe: list[str], data_dir: Path, initdb: Path) -> str | None:
    """Try a way without changing anything; None when it works, if only for a folder with data.

    initdb wants a user with a name, but asks for it last; the server does not.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            [*probe, str(data_dir.parent), str(initdb)],
            env=plain_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    told = done.stderr.decode(errors="replace")
    if done.returncode == 0 or "user does not exist" in told:
        return None
    return [f"exit code {done.returncode}", *told.splitlines()][-1]


def _give(data_dir: Path, uid: int, gid: int) -> None:
    data = data_dir / "data"
    for path in (data_dir, data_dir / "postgres.log", data, *data.rglob("*")):
        if path.exists() and path.lstat().st_uid != uid:
            os.chown(path, uid, gid, follow_symlinks=False)
