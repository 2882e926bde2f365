"""What every room may use: errors with their exit codes, text made harmless, output streams,
signals."""
