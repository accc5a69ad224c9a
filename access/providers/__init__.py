"""What a lock provider must do for us."""
