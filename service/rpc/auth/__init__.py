"""Who calls: tokens, certificates, tenants."""
