"""Sessions, turns, the pool of connections, and the limits on each."""
