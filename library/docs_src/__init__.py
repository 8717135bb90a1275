"""The code of the pages in docs/, which a test imports and the type checkers read."""
