"""The sealed audit, its retention, and what follows if Redis went back."""
