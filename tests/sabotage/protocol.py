"""Promises about HTTP as clients use it, broken on purpose."""

from tests.sabotage import Sabotage

SABOTAGES: tuple[Sabotage, ...] = ()
