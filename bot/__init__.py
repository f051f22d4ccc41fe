"""Rotakey: access to production because somebody is on call or approved it, and back again."""
