"""The rules about a running database, by code."""

from plumbline.doctor.live.drift import drift
from plumbline.doctor.live.schema import (
    foreign_key_without_index,
    invalid_index,
    key_near_its_end,
    no_primary_key,
    not_valid_constraint,
    time_without_zone,
)
from plumbline.doctor.live.sessions import (
    blocking_session,
    connections_used_up,
    idle_in_transaction,
    long_transaction,
    transaction_pooling,
)
from plumbline.doctor.live.settings import no_timeouts, not_durable
from plumbline.doctor.live.upkeep import (
    autovacuum_off,
    replication_lag,
    unread_slot,
    wraparound,
)
from plumbline.doctor.registry import Rule

LIVE_RULES: tuple[Rule, ...] = (
    connections_used_up,
    idle_in_transaction,
    long_transaction,
    blocking_session,
    transaction_pooling,
    not_durable,
    no_timeouts,
    foreign_key_without_index,
    no_primary_key,
    key_near_its_end,
    time_without_zone,
    invalid_index,
    not_valid_constraint,
    drift,
    autovacuum_off,
    wraparound,
    unread_slot,
    replication_lag,
)
