"""Every seeded mistake against every check: who finds what, how soon, and what nobody does."""
