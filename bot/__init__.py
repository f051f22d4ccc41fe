"""Rotakey: production access for people who are on call or approved, granted and revoked again."""
