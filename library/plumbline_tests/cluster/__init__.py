"""A cluster of PostgreSQL as people run it, with Patroni, etcd and HAProxy (`make cluster`)."""
