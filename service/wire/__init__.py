"""The upstream's dialect, pure: requests as bytes, server events as domain events, failures as reasons."""
