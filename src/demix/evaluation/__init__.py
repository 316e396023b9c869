"""Scoring systems on songs: baselines, tables of scores, and how sure a difference of two systems is."""
