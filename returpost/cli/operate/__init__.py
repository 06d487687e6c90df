"""Commands for administrators and operators."""
