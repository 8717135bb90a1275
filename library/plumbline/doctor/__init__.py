"""Finds the faults of FastAPI, SQLAlchemy and PostgreSQL in a project, without running its code."""
