"""Prompt texts; see README.md in this folder."""
