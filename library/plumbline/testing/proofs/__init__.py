"""Proofs that hold for any service: `from plumbline.testing.proofs import *` in a module of tests.

They find the service's routes, tables and migrations themselves. What they cannot know they ask
for by name, in a line that says where to give it.
"""

from plumbline.testing.proofs.access import *  # noqa: F403
from plumbline.testing.proofs.migrations import *  # noqa: F403
from plumbline.testing.proofs.tables import *  # noqa: F403
from plumbline.testing.proofs.wrong_input import *  # noqa: F403
