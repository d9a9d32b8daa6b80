"""Tuning of the process and its event loop."""
