"""Clouds that send mail among other things."""
