#!/bin/sh
# Make a data folder of PostgreSQL of a base backup and the archive: restore.sh BASE WAL NEW_DATA [MOMENT]
# PostgreSQL, started on it, replays the archive up to the moment (2026-11-26 12:00:00+00), or all of it.
set -eu
base=$1 wal=$2 data=$3 moment=${4:-}

[ ! -e "$data" ] || { echo "restore.sh: $data is there already: choose a new folder" >&2; exit 1; }
[ -f "$base/backup_manifest" ] || { echo "restore.sh: $base is no base backup" >&2; exit 1; }
cp -R "$base" "$data"
chmod 700 "$data"
{
    # The segment that was being written has a name of its own.
    echo "restore_command = 'cp \"$wal/%f\" \"%p\" || cp \"$wal/%f.partial\" \"%p\"'"
    echo "recovery_target_action = promote"
    [ -z "$moment" ] || echo "recovery_target_time = '$moment'"
} >>"$data/postgresql.auto.conf"
touch "$data/recovery.signal"
