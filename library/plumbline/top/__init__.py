"""What `top` shows: a running service and its PostgreSQL, at a glance."""
