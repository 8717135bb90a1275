"""The proofs of the library, on tables and a service of their own: nothing here knows `app`.

The package is not called `tests`: that of the service is, and both folders are on Python's path.
"""
