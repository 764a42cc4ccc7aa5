"""The registry: organisation tree, staff, customers, codes and agreements."""
