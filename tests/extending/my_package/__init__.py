"""One component of each kind, as somebody brings them who has not touched the library: docs/extend.md shows them."""
