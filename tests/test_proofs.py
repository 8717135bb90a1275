"""What holds for any service on plumbline, proved of this one: tests/service.py describes it."""

from plumbline.testing.proofs import *  # noqa: F403
