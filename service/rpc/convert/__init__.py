"""Messages of the contract to and from domain values."""
