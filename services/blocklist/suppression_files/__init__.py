"""Suppression lists as files, our own and those of providers: imports, exports, reconciliation.

An import is received whole first, then applied a part at a time. A part is one transaction with its effects and its
report, so a crash leaves nothing half done and the next worker continues after it. A dry run does the same and rolls
back.
"""
