"""Settings: environment and files to frozen values."""
