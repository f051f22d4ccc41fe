"""Every sentence a person reads: short, plain and exact, for somebody who was just woken up."""
