"""A turn as a picture: a Jaeger of one's own, its traces as text and as SVG. `make trace` shows them."""
