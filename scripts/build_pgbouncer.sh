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
apt-get update -qq
apt-get install -y -qq --no-install-recommends gcc make libc6-dev libevent-dev libssl-dev pkg-config
cd "$work"
trixie update
trixie source --download-only pgbouncer
tar xzf pgbouncer_*.orig.tar.gz
cd pgbouncer-*/
./configure --quiet --without-cares --without-systemd
make --silent pgbouncer
cp pgbouncer "$folder/pgbouncer"
