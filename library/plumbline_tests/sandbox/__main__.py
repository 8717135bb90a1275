"""`python -m plumbline_tests.sandbox serve`, and so on."""

from plumbline.cli.main import run

run(
    "sandbox",
    "plumbline_tests.sandbox.commands:cli",
    settings="plumbline_tests.sandbox.database:settings",
    groups=["db"],
)
