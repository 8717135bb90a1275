"""The database layer and the HTTP edge of a FastAPI + SQLAlchemy service on PostgreSQL.

The main names; docs/api.md has all, by module. A name is imported when it is first used, so a
service pays for the parts that it uses.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plumbline.db.after_commit import after_commit
    from plumbline.db.batches import in_batches
    from plumbline.db.compiling import is_any_of
    from plumbline.db.engine import Engine, create_engine
    from plumbline.db.idempotency import IdempotencyKeyColumns, IdempotencyStore
    from plumbline.db.listening import listen, listening
    from plumbline.db.migrate import Migrations
    from plumbline.db.rate_limits import RateLimit, RateLimits
    from plumbline.db.read_session import read_session_factory
    from plumbline.db.readiness import Readiness
    from plumbline.db.reading import read_from_primary
    from plumbline.db.session import session_factory
    from plumbline.db.statements import CompiledInsert, CompiledLock, CompiledSelect
    from plumbline.db.sweeping import Expiring, sweeping
    from plumbline.errors import (
        AppError,
        Conflict,
        Forbidden,
        Invalid,
        NotFound,
        OutcomeUnknown,
        Stale,
        TooManyRequests,
        Unauthenticated,
        Unavailable,
    )
    from plumbline.executor import BoundedExecutor
    from plumbline.http.access import ANONYMOUS, Rule, require_rules
    from plumbline.http.commit_order import require_commit_before_response
    from plumbline.http.consistency import install_consistency
    from plumbline.http.exception_handlers import install_problems
    from plumbline.http.health import install_health
    from plumbline.http.idempotency import (
        everybody,
        idempotent,
        install_idempotency,
        principal_id,
    )
    from plumbline.http.install import install
    from plumbline.http.lifespan import service_lifespan
    from plumbline.http.listing import Listing, ListRequest
    from plumbline.http.load_shedding import install_load_shedding
    from plumbline.http.request_context import install_request_context
    from plumbline.http.routing import ApiRoute, resource, state_of
    from plumbline.logging import configure_logging
    from plumbline.settings import DatabaseSettings, HttpSettings, Settings, load_settings
    from plumbline.usage import may_repeat

__version__ = "0.2.0"

# Where each name is defined; a test compares it with the imports above.
_MODULES = {
    "plumbline.db.after_commit": ("after_commit",),
    "plumbline.db.batches": ("in_batches",),
    "plumbline.db.compiling": ("is_any_of",),
    "plumbline.db.engine": ("Engine", "create_engine"),
    "plumbline.db.idempotency": ("IdempotencyKeyColumns", "IdempotencyStore"),
    "plumbline.db.listening": ("listen", "listening"),
    "plumbline.db.migrate": ("Migrations",),
    "plumbline.db.rate_limits": ("RateLimit", "RateLimits"),
    "plumbline.db.readiness": ("Readiness",),
    "plumbline.db.reading": ("read_from_primary",),
    "plumbline.db.read_session": ("read_session_factory",),
    "plumbline.db.session": ("session_factory",),
    "plumbline.db.statements": ("CompiledInsert", "CompiledLock", "CompiledSelect"),
    "plumbline.db.sweeping": ("Expiring", "sweeping"),
    "plumbline.errors": (
        *("AppError", "Conflict", "Forbidden", "Invalid", "NotFound", "OutcomeUnknown"),
        *("Stale", "TooManyRequests", "Unauthenticated", "Unavailable"),
    ),
    "plumbline.executor": ("BoundedExecutor",),
    "plumbline.http.access": ("ANONYMOUS", "Rule", "require_rules"),
    "plumbline.http.commit_order": ("require_commit_before_response",),
    "plumbline.http.consistency": ("install_consistency",),
    "plumbline.http.exception_handlers": ("install_problems",),
    "plumbline.http.health": ("install_health",),
    "plumbline.http.idempotency": (
        *("everybody", "idempotent", "install_idempotency", "principal_id"),
    ),
    "plumbline.http.install": ("install",),
    "plumbline.http.lifespan": ("service_lifespan",),
    "plumbline.http.listing": ("Listing", "ListRequest"),
    "plumbline.http.load_shedding": ("install_load_shedding",),
    "plumbline.http.request_context": ("install_request_context",),
    "plumbline.http.routing": ("ApiRoute", "resource", "state_of"),
    "plumbline.logging": ("configure_logging",),
    "plumbline.settings": ("DatabaseSettings", "HttpSettings", "Settings", "load_settings"),
    "plumbline.usage": ("may_repeat",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "ANONYMOUS",
    "ApiRoute",
    "AppError",
    "BoundedExecutor",
    "CompiledInsert",
    "CompiledLock",
    "CompiledSelect",
    "Conflict",
    "DatabaseSettings",
    "Engine",
    "Expiring",
    "Forbidden",
    "HttpSettings",
    "IdempotencyKeyColumns",
    "IdempotencyStore",
    "Invalid",
    "ListRequest",
    "Listing",
    "Migrations",
    "NotFound",
    "OutcomeUnknown",
    "RateLimit",
    "RateLimits",
    "Readiness",
    "Rule",
    "Settings",
    "Stale",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
    "__version__",
    "after_commit",
    "configure_logging",
    "create_engine",
    "everybody",
    "idempotent",
    "in_batches",
    "install",
    "install_consistency",
    "install_health",
    "install_idempotency",
    "install_load_shedding",
    "install_problems",
    "install_request_context",
    "is_any_of",
    "listen",
    "listening",
    "load_settings",
    "may_repeat",
    "principal_id",
    "read_from_primary",
    "read_session_factory",
    "require_commit_before_response",
    "require_rules",
    "resource",
    "service_lifespan",
    "session_factory",
    "state_of",
    "sweeping",
]


def __getattr__(name: str) -> object:
    """Import it where it is defined; AttributeError for a name that is not public."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'plumbline' has no attribute {name!r}")
    found: object = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
