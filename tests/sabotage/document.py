"""Promises about the OpenAPI document, broken on purpose."""

from tests.sabotage import Sabotage

SABOTAGES: tuple[Sabotage, ...] = ()
