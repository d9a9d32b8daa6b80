"""Settings: the environment as one frozen value."""
