"""Development data: believable rows for the tables of a service, the same for the same seed."""
