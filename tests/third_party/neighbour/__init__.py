"""A distribution that others might write: one record a module, what is heavy beside it."""
