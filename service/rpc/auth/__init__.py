"""Authentication of callers: tokens, certificates and tenants."""
