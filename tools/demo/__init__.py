"""A conversation through the service that reports what each turn did: `make demo`."""
