"""Specs that are written for a user: what can be read off a file is guessed and said, what cannot
is asked for."""
