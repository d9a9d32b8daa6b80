"""Programs for people who work with the repository: `make run`, `make demo`, `make trace`, `make proto`."""
