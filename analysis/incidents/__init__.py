"""Group issues that begin together, or that hit the same devices, into incidents."""
