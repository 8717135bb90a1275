"""The commands of the sandbox: those of the library."""

from pathlib import Path

from plumbline.cli.commands import service_commands
from plumbline.cli.service import Service
from plumbline_tests.sandbox.database import migrations, settings

cli = service_commands(
    Service(
        app="plumbline_tests.sandbox.service:app",
        folder=Path(__file__).parent,
        settings=settings,
        migrations=migrations,
        find_risks=list,
        find_warnings=list,
        page="/books",
    )
)
