"""Images as files, from the champion or another model."""
