"""Cards, alerts, lists and forms as Block Kit. Pure."""
