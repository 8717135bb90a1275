"""All rules, by code: of code (PL0 to PL6), of a database (PL7)."""

from plumbline.doctor.live.rules import LIVE_RULES
from plumbline.doctor.registry import Rule
from plumbline.doctor.rules import RULES

ALL_RULES: tuple[Rule, ...] = (*RULES, *LIVE_RULES)
