"""A release in a reviewer's hands: one file with all that leads to it, and its predictions scored
again."""
