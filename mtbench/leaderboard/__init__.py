"""Leaderboards: boards with sealed answers, submissions as rankings, every score recomputed, pages of it all."""
