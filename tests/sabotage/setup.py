"""Promises about the embedded PostgreSQL and the commands, broken on purpose."""

from tests.sabotage import Sabotage

SABOTAGES: tuple[Sabotage, ...] = ()
