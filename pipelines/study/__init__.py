"""Several pipeline runs that together answer what one cannot: what to run (plan), and what that leaves (collect)."""
