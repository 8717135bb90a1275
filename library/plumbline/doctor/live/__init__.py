"""What a running database says of itself: rules PL7xx, which only read, each in its own statement.

By topic: PL70 sessions, PL71 settings, PL72 the schema, PL73 upkeep.
"""
