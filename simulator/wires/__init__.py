"""The wires: the same acts over a WebSocket and over HTTP."""
