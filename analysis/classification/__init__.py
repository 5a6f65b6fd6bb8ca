"""Name the cause of an error event from its text, its codes and the store around it."""
