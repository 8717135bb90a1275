"""A pytest plugin for a service's own tests, and the proofs that it gets by naming its app.

`-p plumbline.testing.plugin` among pytest's options switches it on; `conftest.py` names the
service (service.py); `from plumbline.testing.proofs import *` in a module of tests takes them.
"""
