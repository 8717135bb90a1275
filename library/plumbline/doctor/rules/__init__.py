"""The rules.

By topic: PL0 transactions, PL1 connections, PL2 the event loop, PL3 models and what they load,
PL4 statements, PL5 security, PL6 migrations and tests.
"""

from plumbline.doctor.registry import Rule
from plumbline.doctor.rules.commits import commit_after_response, commit_despite_error
from plumbline.doctor.rules.conflicts import check_then_write, unique_violation_unhandled
from plumbline.doctor.rules.deployment import echo_in_production, reload_in_production
from plumbline.doctor.rules.environment import models_not_imported, no_lock_timeout
from plumbline.doctor.rules.event_loop import (
    blocking_call_in_async,
    hashing_on_the_loop,
    sync_session_in_async,
)
from plumbline.doctor.rules.migrations import (
    constraint_that_blocks,
    index_that_blocks,
    taken_from_the_running_release,
    type_that_rewrites,
)
from plumbline.doctor.rules.models import (
    expire_on_commit,
    lazy_relationship,
    naive_time,
    no_naming_convention,
    value_set_by_the_server,
)
from plumbline.doctor.rules.pool import (
    connections_not_tested,
    create_all_at_start,
    driver_missing,
    engine_per_request,
    no_timeouts,
    too_many_connections,
    wrong_error_of_asyncpg,
)
from plumbline.doctor.rules.schema import (
    required_column_without_default,
    several_heads,
    tests_on_the_database,
)
from plumbline.doctor.rules.security import (
    cors_for_all,
    debug_in_production,
    secret_with_default,
    token_not_verified,
    token_without_end,
)
from plumbline.doctor.rules.sharing import (
    global_session,
    session_after_request,
    session_shared_by_tasks,
)
from plumbline.doctor.rules.statements import (
    count_for_each_page,
    offset_paging,
    rows_fetched_to_count,
    statement_per_row,
    text_with_values,
)
from plumbline.doctor.rules.transactions import session_left_open, swallowed_error
from plumbline.doctor.rules.upserts import predicate_with_parameter, upsert_forgets_onupdate

RULES: tuple[Rule, ...] = (
    commit_after_response,
    commit_despite_error,
    swallowed_error,
    session_left_open,
    session_shared_by_tasks,
    global_session,
    session_after_request,
    connections_not_tested,
    engine_per_request,
    too_many_connections,
    no_timeouts,
    create_all_at_start,
    driver_missing,
    wrong_error_of_asyncpg,
    sync_session_in_async,
    blocking_call_in_async,
    hashing_on_the_loop,
    expire_on_commit,
    lazy_relationship,
    naive_time,
    no_naming_convention,
    value_set_by_the_server,
    text_with_values,
    offset_paging,
    rows_fetched_to_count,
    statement_per_row,
    check_then_write,
    unique_violation_unhandled,
    count_for_each_page,
    upsert_forgets_onupdate,
    predicate_with_parameter,
    secret_with_default,
    token_without_end,
    cors_for_all,
    debug_in_production,
    reload_in_production,
    token_not_verified,
    echo_in_production,
    tests_on_the_database,
    several_heads,
    required_column_without_default,
    models_not_imported,
    index_that_blocks,
    constraint_that_blocks,
    type_that_rewrites,
    taken_from_the_running_release,
    no_lock_timeout,
)
