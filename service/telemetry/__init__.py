"""Spans, metrics and logs of the service. Telemetry observes; it decides nothing."""
