"""The search for an order that explains every answer, for any specification."""
