"""Probes: what trained nets listen to, asked without training them again."""
