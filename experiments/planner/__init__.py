"""Which link first: upgrade sets, what each is worth, and what incoherence costs."""
