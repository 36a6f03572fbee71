"""What people and programs read.

The words that every command says are here by name; what only some commands print is in a module of its own.
"""

from orbit_release.output.console import foreign, in_actions, mask, say, show_error, summarize, table, to_json, warn

__all__ = ["foreign", "in_actions", "mask", "say", "show_error", "summarize", "table", "to_json", "warn"]
