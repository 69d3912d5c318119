"""What is wrong with a study that needs no data to be seen, a module a concern."""
