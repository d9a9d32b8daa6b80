"""Who may speak, and over what: sessions, turns, lines, routes."""
