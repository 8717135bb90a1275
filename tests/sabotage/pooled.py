"""What several processes and a pooler between promise, broken on purpose."""

from tests.sabotage import Sabotage

THREE = "tests/faults/test_three_processes.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "count attempts for each process by itself",
        "library/plumbline/db/rate_limits.py",
        'f"{self.name}\\0{self.key}"',
        "f\"{self.name}\\0{self.key}\\0{__import__('os').getpid()}\"",
        THREE + "test_attempts_are_counted_for_all_processes_together",
    ),
)
