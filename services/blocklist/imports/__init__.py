"""Imports: lists of addresses to block or clear, received whole first, then worked off a part at a time.

A part is one transaction with its effects and its report, so that a crash leaves nothing half done and whoever comes
next goes on behind it. A dry run does the same and takes it back.
"""
