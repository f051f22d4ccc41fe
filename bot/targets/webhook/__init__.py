"""An HTTPS endpoint of one's own as a target."""
