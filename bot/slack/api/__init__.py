"""Calls to Slack's Web API, and the app that Slack's requests come to."""
