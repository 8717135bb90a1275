"""The rules about an imported application, by code."""

from plumbline.doctor.registry import Rule
from plumbline.doctor.run.connections import (
    broken_models,
    connections_not_tested,
    expire_on_commit,
    lazy_relationship,
    naive_time,
    no_naming_convention,
    no_timeouts,
    too_many_connections,
)
from plumbline.doctor.run.requests import (
    async_session_in_sync,
    commit_after_response,
    commit_despite_error,
    cors_for_all,
    debug_in_production,
    stream_through_middleware,
    sync_session_in_async,
)

RUN_RULES: tuple[Rule, ...] = (
    commit_after_response,
    commit_despite_error,
    connections_not_tested,
    too_many_connections,
    no_timeouts,
    sync_session_in_async,
    expire_on_commit,
    lazy_relationship,
    naive_time,
    no_naming_convention,
    cors_for_all,
    debug_in_production,
    async_session_in_sync,
    stream_through_middleware,
    broken_models,
)
