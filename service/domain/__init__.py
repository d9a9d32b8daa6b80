"""Nouns: messages, events, errors, plan. Imports nothing of ours."""
