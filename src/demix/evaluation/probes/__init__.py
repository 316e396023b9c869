"""Probes: what a trained net listens to, measured without training anything again."""
