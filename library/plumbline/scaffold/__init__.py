"""Writes the files of a resource into a service: `add resource`, `add field`, `remove resource`."""
