"""The version of the package: one line that the build and the user agent both read."""

__version__ = "0.1.0"
