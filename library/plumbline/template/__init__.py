"""New projects: the service of this repository with another name, and later versions of it."""
