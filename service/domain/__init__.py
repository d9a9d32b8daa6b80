"""The domain types: messages, events, errors, plans. Imports no other layer of the service."""
