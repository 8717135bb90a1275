"""The bookshop is a service with tests of its own, for test_plugin.py to run."""

collect_ignore = ["bookshop"]
