"""demix: cut a song into vocals, drums, bass and other, and compare the nets that do it."""

__version__ = "0.1.0"
