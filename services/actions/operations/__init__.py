"""Bulk operations: a set that is frozen at the preview, done part by part, watched, cancelled, resumed, undone."""
