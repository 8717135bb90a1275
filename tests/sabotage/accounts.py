"""Promises about accounts, log-ins and limits, broken on purpose."""

from tests.sabotage import Sabotage

SABOTAGES: tuple[Sabotage, ...] = ()
