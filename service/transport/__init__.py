"""Sockets: one persistent WebSocket, one HTTP POST with an SSE answer. The only room that speaks `wire`."""
