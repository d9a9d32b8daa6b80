"""Check requests as strictly as the upstream does, with its messages."""
