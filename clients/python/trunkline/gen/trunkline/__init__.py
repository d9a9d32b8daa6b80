"""Generated code. Made by `make proto`, never edited."""
