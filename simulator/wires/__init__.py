"""Carry answers over a WebSocket or over HTTP."""
