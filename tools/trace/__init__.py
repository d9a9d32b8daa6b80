"""`make trace`: the demo with its own Jaeger, and the traces of its turns as text and as SVG."""
