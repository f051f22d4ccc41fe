"""Holds made equal to what the live grants say, and what is overdue, missing or past its end."""
