#!/bin/sh
# The role that serves: it uses the tables, which belong to the one that migrates. The image of
# PostgreSQL runs this once, when it makes the database.
set -eu
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=password="$(cat "${SECRETS:-/run/secrets}/APP_PASSWORD")" \
    --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
CREATE ROLE app LOGIN PASSWORD :'password';
-- For sessions that are not the service's, which sets a shorter one: nobody keeps locks for ever.
ALTER ROLE app SET idle_in_transaction_session_timeout = '60s';
SQL
if [ -n "${PGDATA:-}" ]; then # the archive connects from its own container
    echo "host replication $POSTGRES_USER all scram-sha-256" >>"$PGDATA/pg_hba.conf"
fi
