"""The strictness of the upstream: which requests it refuses, and in which words."""
