"""XTREME's own folder layout: scored, and written."""
