#!/bin/sh
# Build the PgBouncer of Debian 13 on Debian 12, into the folder $1. Needs root, for the compiler's packages.
# The machine's own list of packages stays as it is.
set -eu
folder=$(mkdir -p "$1" && cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/sources" "$work/lists/partial"
cat > "$work/sources/trixie.sources" <<END
Types: deb-src
URIs: http://deb.debian.org/debian
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
trixie() {
    apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/sources" \
        -o Dir::State::lists="$work/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        -o APT::Sandbox::User=root "$@"
}
echo "Building PgBouncer from the source of Debian 13 into $1; for that: gcc make libevent-dev libssl-dev pkg-config (apt)"
apt-get update -qq
apt-get install -y -qq --no-install-recommends gcc make libc6-dev libevent-dev libssl-dev pkg-config
cd "$work"
trixie update
trixie source --download-only pgbouncer >/dev/null
tar xzf pgbouncer_*.orig.tar.gz
cd pgbouncer-*/
./configure --quiet --without-cares --without-systemd >/dev/null
make --silent pgbouncer >/dev/null
cp pgbouncer "$folder/pgbouncer"
"$folder/pgbouncer" --version | head -n 1
