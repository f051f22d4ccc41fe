"""Evidence that is kept outside the ledger: the anchor, the archive, and the keys that sign."""
