"""Conversion between messages of the contract and domain values."""
