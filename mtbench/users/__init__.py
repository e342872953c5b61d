"""Simulated users: plugins that see an image, know the one they want, and say something."""
