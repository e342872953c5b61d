"""Dialogue in the loop: simulated users who answer what a model shows, and how fast a model finds what they want."""
