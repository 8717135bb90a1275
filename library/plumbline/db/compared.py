"""Whether SQLAlchemy and asyncpg are those that the layers which pass them by were compared with.

Those layers use what both promise to nobody: the record of a connection, the state of a transaction
(direct.py, owned_session.py, pool.py). In another version they are left out, and SQLAlchemy runs
all transactions as it does everywhere: slower, and right (docs/adr/0071). What a COMMIT that got no
answer means (connection.py) is asked in every version.
"""

import asyncpg
import sqlalchemy

COMPARED = {"SQLAlchemy": {"2.1.9"}, "asyncpg": {"0.32.0"}}
_VERSIONS = {"SQLAlchemy": sqlalchemy.__version__, "asyncpg": asyncpg.__version__}


def find_difference() -> str | None:
    """Why they are left out; None: they are not."""
    for name, version in _VERSIONS.items():
        if version not in COMPARED[name]:
            return f"{name} {version} has not been compared"
    return None


IS_COMPARED = find_difference() is None
