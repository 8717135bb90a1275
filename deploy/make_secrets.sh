#!/bin/sh
# Random passwords for compose.yaml, each in a file of deploy/secrets; those that are there stay.
# The folder is closed to others; the files are not, since the user in the container reads them.
set -eu
umask 022
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets

keep() { [ -s "secrets/$1" ] || printf %s "$2" >"secrets/$1"; }
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

for user in owner app; do
    name=$(echo $user | tr '[:lower:]' '[:upper:]')
    keep "${name}_PASSWORD" "$(random)"
    keep "${name}_URL" "postgresql://$user:$(cat "secrets/${name}_PASSWORD")@postgres:5432/app"
done
