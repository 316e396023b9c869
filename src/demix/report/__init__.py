"""The report of a comparison: a page, a Markdown table and rows for the terminal, made from result files alone."""

from demix.report.build import Summary, build, summary

__all__ = ["Summary", "build", "summary"]
