"""`python -m app.cli`, where the `app` command is not on the PATH."""

from app.cli import main

main()
