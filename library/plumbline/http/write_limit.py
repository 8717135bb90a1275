"""How much a user may write: counted by each process, in its memory.

A count in the database would be one more statement for every write, and a lock that the user's
writes wait for one after the other. Here it bounds how fast a stolen or scripted account fills the
disk, for which the number of processes more or less does not matter (docs/adr/0019).
"""

import math
from time import monotonic

from app.core.config import settings
from plumbline.errors import TooManyRequests

POLICY = "writes"
MAX_USERS = 10_000  # whose counts are kept; beyond it the oldest window is forgotten

_windows: dict[int, tuple[float, int]] = {}  # by user: its end, and how many writes it has


def count_write(user_id: int) -> None:
    """Count one; TooManyRequests when the user has used up the window."""
    allowed, now = settings.WRITE_LIMIT_PER_USER, monotonic()
    if not allowed:
        return
    ends_at, used = _windows.get(user_id, (0.0, 0))
    if ends_at <= now:
        _windows.pop(user_id, None)  # so that the windows stand in the order of their ends
        ends_at, used = now + settings.LIMIT_WINDOW_SECONDS, 0
    if used >= allowed:
        left = max(1, math.ceil(ends_at - now))
        raise TooManyRequests(POLICY, allowed, settings.LIMIT_WINDOW_SECONDS, left)
    _windows[user_id] = ends_at, used + 1
    if len(_windows) > MAX_USERS:
        del _windows[next(iter(_windows))]
