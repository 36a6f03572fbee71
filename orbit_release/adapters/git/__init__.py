"""Git: the person's clone, and the repository it was cloned from."""
