"""The target-leak firewall: checks that any model can be put to."""
