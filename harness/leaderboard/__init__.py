"""From committed results to a board: aggregate (gains), release (numbered, immutable documents), render (tables)."""
