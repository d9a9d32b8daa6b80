"""Memory of one conversation, pure: what the upstream already knows, and when a replay is legal."""
