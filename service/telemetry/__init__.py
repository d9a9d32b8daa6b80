"""What can be seen of the service: spans, metrics, logs. It watches, and never decides."""
