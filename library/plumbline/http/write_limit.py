"""How much a user may write: counted by each process, in its memory.

A count in the database would be one more statement for every write, and a lock that the user's
writes wait for one after the other. Here it bounds how fast a stolen or scripted account fills the
disk, for which the number of processes more or less does not matter (docs/adr/0019).
"""

import math
from time import monotonic

from plumbline.errors import TooManyRequests
from plumbline.settings import RateLimitSettings

POLICY = "writes"
# Not PUT and DELETE: whose token was stolen can end log-ins and change the password, whatever the
# thief has used up.
COUNTED_METHODS = {"POST", "PATCH"}
MAX_USERS = 10_000  # whose counts are kept; beyond it the oldest window is forgotten


class WriteCounts:
    """By user: the end of the window, and how many writes it has."""

    def __init__(self) -> None:
        self.windows: dict[int, tuple[float, int]] = {}

    def count(self, user_id: int, settings: RateLimitSettings) -> None:
        """Count one; TooManyRequests when the user has used up the window."""
        allowed, now = settings.WRITE_LIMIT_PER_USER, monotonic()
        if not allowed:
            return
        ends_at, used = self.windows.get(user_id, (0.0, 0))
        if ends_at <= now:
            self.windows.pop(user_id, None)  # so that they stand in the order of their ends
            ends_at, used = now + settings.LIMIT_WINDOW_SECONDS, 0
        if used >= allowed:
            left = max(1, math.ceil(ends_at - now))
            raise TooManyRequests(POLICY, allowed, settings.LIMIT_WINDOW_SECONDS, left)
        self.windows[user_id] = ends_at, used + 1
        if len(self.windows) > MAX_USERS:
            del self.windows[next(iter(self.windows))]
