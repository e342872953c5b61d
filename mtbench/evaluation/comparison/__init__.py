"""Comparing systems: paired tests, intervals of differences, seeds, and what may be claimed in words."""
