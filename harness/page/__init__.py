"""The leaderboard as people read it: one set of tables and sentences, in a terminal, in Markdown
and as one HTML file."""
