"""The same four routes, each written as the documentation of its framework teaches."""
