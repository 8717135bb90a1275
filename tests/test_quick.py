"""The quick run: what it leaves out, and what it runs because something has changed."""

import pytest

from tests.postgres import ROOT
from tests.quick import SLOW, _is_about, _is_slow


def test_what_is_left_out_is_there() -> None:
    assert [path for path in SLOW if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("test", "changed"),
    [
        ("tests/db/test_growth.py", "tests/db/test_growth.py"),
        ("tests/api/test_guessing.py", "app/core/config.py"),  # it imports it
        ("library/plumbline_tests/db/test_stale_plans.py", "library/plumbline/db/engine.py"),
        ("library/plumbline_tests/db/test_tenants.py", "library/plumbline/db/tenants.py"),
    ],
)
def test_slow_test_runs_when_what_it_is_about_has_changed(test: str, changed: str) -> None:
    about, other = frozenset({ROOT / changed}), frozenset({ROOT / "app/cli/accounts.py"})

    assert _is_slow(ROOT / test)
    assert (_is_about(ROOT / test, about), _is_about(ROOT / test, other)) == (True, False)
