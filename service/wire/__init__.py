"""Translate between the domain and the upstream's JSON: requests, server events, failures. No I/O."""
