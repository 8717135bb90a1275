"""The rules, by topic: PL0 transactions, PL1 connections, PL2 the event loop, PL3 models and
loading, PL4 statements, PL5 security, PL6 migrations and tests."""
