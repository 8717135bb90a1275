"""All rules, by code: of code (PL0 to PL6), of a database (PL7), of an application (PL8)."""

from plumbline.doctor.live.rules import LIVE_RULES
from plumbline.doctor.registry import Rule
from plumbline.doctor.rules import RULES
from plumbline.doctor.run.rules import RUN_RULES

_IN_CODE = {rule.code for rule in RULES}
ONLY_RUN = tuple(rule for rule in RUN_RULES if rule.code not in _IN_CODE)
ALL_RULES: tuple[Rule, ...] = (*RULES, *LIVE_RULES, *ONLY_RUN)
