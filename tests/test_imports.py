"""What the import of a module does."""

import json

from plumbline_tests.processes import python

# The composition root: the settings, the engine made of them, and the application.
MAKES_SETTINGS = ["app.core.config"]
READS_SETTINGS = ["app.db.session", "app.main"]


def test_settings_are_read_at_import_only_where_the_service_is_put_together() -> None:
    """Elsewhere: hand the settings on, and read them in the function that needs them."""
    process = python("-m", "tests.read_at_import")
    assert process.returncode == 0, process.stderr

    makers, readers = json.loads(process.stdout)

    assert (makers, readers) == (MAKES_SETTINGS, READS_SETTINGS)
