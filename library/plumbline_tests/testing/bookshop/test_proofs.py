"""All that holds for any service."""

from plumbline.testing.proofs import *  # noqa: F403
