"""Where a registered version comes from, and the same made again."""
